package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"aftershock/ask"
	"aftershock/replay"
)

// maxFollowed are the signatures of bugs that are followed through promotions, the first ones.
const maxFollowed = 400

// association is that a bug is about a signature.
type association struct{ bug, signature string }

// apiBugs are the bugs of signatures. One of a name that most of a signature's crashes had is one of
// the signature: tools look for the name that they asked for. That it was filed for is there as well,
// as all signatures of each bug are.
func (h *Handler) apiBugs(r *http.Request, q url.Values) (any, error) {
	asked := q["signatures"]
	all, err := associations(ask.BugsOf(r.Context(), h.o.DB, asked))
	if err != nil {
		return nil, err
	}
	before, err := replay.Ancestors(r.Context(), h.o.DB, lineageLimits, asked)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, of := range before {
		names = append(names, slices.DeleteFunc(slices.Clone(of), cannotBeAsked)...)
	}
	slices.Sort(names)
	for some := range slices.Chunk(slices.Compact(names), ask.MaxLookups) {
		more, err := associations(ask.BugsOf(r.Context(), h.o.DB, some))
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	filed := map[string][]string{}
	for _, a := range all {
		filed[a.signature] = append(filed[a.signature], a.bug)
	}
	for signature, of := range before {
		for _, name := range of {
			for _, bug := range filed[name] {
				all = append(all, association{bug, signature})
			}
		}
	}
	return bugHits(all), nil
}

// apiSignaturesByBugs are the signatures of bugs: those that each was filed for, and those that most of
// their crashes got since.
func (h *Handler) apiSignaturesByBugs(r *http.Request, q url.Values) (any, error) {
	all, err := associations(ask.SignaturesOf(r.Context(), h.o.DB, q["bug_ids"]))
	if err != nil {
		return nil, err
	}
	var filed []string
	for _, a := range all {
		filed = append(filed, a.signature)
	}
	slices.Sort(filed)
	filed = slices.Compact(filed)
	heirs, err := replay.Heirs(r.Context(), h.o.DB, lineageLimits, filed[:min(len(filed), maxFollowed)])
	if err != nil {
		return nil, err
	}
	for _, a := range slices.Clone(all) {
		for _, name := range heirs[a.signature] {
			all = append(all, association{a.bug, name})
		}
	}
	return bugHits(all), nil
}

// cannotBeAsked tells of a name that it is too long.
func cannotBeAsked(name string) bool {
	_, err := ask.Text(name)
	return err != nil
}

func associations(rows [][]json.RawMessage, err error) (all []association, _ error) {
	for _, row := range rows {
		all = append(all, association{ask.Shown(row[0]), ask.Shown(row[1])})
	}
	return all, err
}

// bugHits are each once, in order. A bug has a number if it is one: trackers differ.
func bugHits(all []association) map[string]any {
	slices.SortFunc(all, func(a, b association) int {
		return cmp.Or(cmp.Compare(a.bug, b.bug), cmp.Compare(a.signature, b.signature))
	})
	var hits []map[string]any
	for _, a := range slices.Compact(all) {
		var id any = a.bug
		if n, err := strconv.ParseUint(a.bug, 10, 53); err == nil {
			id = n
		}
		hits = append(hits, map[string]any{"id": id, "signature": a.signature})
	}
	return found(hits)
}
