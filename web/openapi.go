package web

import (
	"cmp"
	"net/http"
	"strings"

	"aftershock/ask"
)

// openAPI is the API as OpenAPI 3.1 describes one.
func openAPI() map[string]any {
	paths := map[string]any{}
	for _, e := range endpoints {
		op := map[string]any{"operationId": e.name, "summary": e.doc, "responses": map[string]any{
			"200": response("The answer."), "400": mistake("What was asked is refused."), "429": mistake("More requests than a client may send; Retry-After says when to try again."), "503": mistake("The tables cannot be asked now."),
		}}
		if e.needs != "" {
			op["description"] = "Needs the role " + string(e.needs) + "."
			op["responses"].(map[string]any)["403"] = mistake("The role is lacking.") //nolint:forcetypeassert // made above
		}
		method := "get"
		switch {
		case e.body != "":
			method = "post"
			op["requestBody"] = map[string]any{"required": true, "content": map[string]any{e.kindOfBody(): map[string]any{"schema": map[string]any{"type": e.typeOfBody(), "description": e.body}, "example": e.example}}}
			if params := e.inQuery(); len(params) > 0 {
				op["parameters"] = params
			}
		case e.post:
			method = "post"
			properties, required := map[string]any{}, []string{}
			for _, p := range e.params {
				properties[p.name] = p.schema()
				if p.required {
					required = append(required, p.name)
				}
			}
			op["requestBody"] = map[string]any{"required": true, "content": map[string]any{"application/x-www-form-urlencoded": map[string]any{"schema": map[string]any{"type": "object", "properties": properties, "required": required}}}}
		default:
			params := e.inQuery()
			if e.fields {
				for _, f := range ask.Public().Fields() {
					for _, name := range []string{f.Name, f.Twin} {
						if name != "" {
							params = append(params, map[string]any{"name": name, "in": "query", "description": f.Doc + " With an operator before it: " + signs(f) + ".", "required": false, "schema": apiParam{kind: "string", many: true}.schema()})
						}
					}
				}
			}
			op["parameters"] = params
		}
		paths["/api/"+e.name+"/"] = map[string]any{method: op}
	}
	return map[string]any{
		"openapi": "3.1.0", "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"info":       map[string]any{"title": "Aftershock", "version": "1", "description": "Crashes, in the shapes of Crash Stats' API."},
		"paths":      paths,
		"components": map[string]any{"schemas": map[string]any{"Error": map[string]any{"type": "object", "properties": map[string]any{"error": map[string]any{"type": "string"}}, "required": []string{"error"}}}},
	}
}

// inQuery are the parameters that stand in the address.
func (e endpoint) inQuery() []map[string]any {
	params := make([]map[string]any, 0, len(e.params))
	for _, p := range e.params {
		params = append(params, map[string]any{"name": p.name, "in": "query", "description": p.doc, "required": p.required, "schema": p.schema()})
	}
	return params
}

func (e endpoint) kindOfBody() string { return cmp.Or(e.kind, "application/json") }

func (e endpoint) typeOfBody() string {
	if e.kind == "" {
		return "object"
	}
	return "string"
}

func (p apiParam) schema() map[string]any {
	one := map[string]any{"type": p.kind}
	if p.many {
		return map[string]any{"type": "array", "items": one}
	}
	return one
}

func signs(f ask.Field) string {
	var all []string
	for _, op := range f.Takes() {
		if op != ask.Any {
			all = append(all, string(op))
		}
	}
	return strings.Join(all, " ") + ", and ! for not"
}

func response(doc string) map[string]any {
	return map[string]any{"description": doc, "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{}}}}
}

func mistake(doc string) map[string]any {
	return map[string]any{"description": doc, "content": map[string]any{"application/json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/Error"}}}}
}

// apiEntry is an endpoint on the page of the API.
type apiEntry struct {
	Name, Method, Doc, Needs, Example, Link, Body string // Link is empty where the example is of no crash there is
	Params                                        []apiEntryParam
	Fields                                        bool
}

type apiEntryParam struct {
	Name, Doc      string
	Many, Required bool
}

// apiPage lists the endpoints.
func (h *Handler) apiPage(w http.ResponseWriter, r *http.Request) {
	var all []apiEntry
	for _, e := range endpoints {
		entry := apiEntry{Name: e.name, Method: "GET", Doc: e.doc, Needs: string(e.needs), Example: e.example, Body: e.body, Fields: e.fields}
		at := "/api/" + e.name + "/"
		switch {
		case e.post:
			entry.Method, entry.Example = "POST", "curl --data '"+e.example+"' …"+at
			if e.kind != "" {
				entry.Example = "curl --data-binary @file …" + at
			}
		case len(e.params) > 0 && e.params[0].name == crashIDParam.name:
			entry.Example = at + "?" + e.example
		case e.missing != nil && e.missing(h):
			entry.Example = at
		case e.example == "":
			entry.Link = at
		default:
			entry.Link = at + "?" + e.example
		}
		for _, p := range e.params {
			entry.Params = append(entry.Params, apiEntryParam{p.name, p.doc, p.many, p.required})
		}
		all = append(all, entry)
	}
	h.show(w, r, http.StatusOK, "api.html", view{Title: "API", At: "/api/", Body: struct {
		All  []apiEntry
		Rate int
	}{all, h.rates.of.PerMinute}})
}
