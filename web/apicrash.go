package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
)

// rowOf is the public row of the crash that is asked for.
func (h *Handler) rowOf(r *http.Request, q url.Values) (id string, row ask.Row, err error) {
	id, ok := crashID(q.Get("crash_id"))
	if !ok {
		return "", nil, &apiError{http.StatusBadRequest, "unknown crash id"}
	}
	row, err = ask.Crash(r.Context(), h.o.DB, id)
	return id, row, err
}

var errNoCrash = &apiError{http.StatusNotFound, "there is no such crash, or it is not processed yet"}

func (h *Handler) apiVerify(r *http.Request, q url.Values) (any, error) {
	id, row, err := h.rowOf(r, q)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"uuid": id, "processed_crash": row != nil, "elasticsearch_crash": row != nil, "raw_crash": nil, "telemetry_crash": nil}
	if row != nil {
		out["raw_crash"] = true // it was processed
	}
	return out, nil
}

func (h *Handler) apiRaw(r *http.Request, q url.Values) (any, error) {
	switch q.Get("format") {
	case "", "meta":
		if q.Has("name") {
			return nil, h.dumpAt(r, q)
		}
	case "raw":
		return nil, h.dumpAt(r, q)
	default:
		return nil, &apiError{http.StatusBadRequest, "format: want meta or raw"}
	}
	id, row, err := h.rowOf(r, q)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, errNoCrash
	}
	out := map[string]any{}
	annotations := map[string]string{}
	json.Unmarshal(row["annotations"], &annotations) //nolint:errcheck,gosec // an object of texts, or there are none
	for name, value := range annotations {
		out[name] = value
	}
	if err := h.addProtected(r, id, out); err != nil {
		return nil, err
	}
	out["uuid"], out["submitted_timestamp"] = id, zoned(row["received_at"])
	return out, nil
}

// addProtected puts a crash's protected annotations to its public ones for who may see them, once it
// is kept who does.
func (h *Handler) addProtected(r *http.Request, id string, out map[string]any) error {
	if !h.account(r).Protected {
		return nil
	}
	row, err := ask.CrashProtected(r.Context(), h.o.Protected, id)
	if err != nil || row == nil {
		return err
	}
	if err := h.audit(r, schema.AuditEvent{What: schema.AuditProtected, Role: string(access.Protected), Subject: id, Count: 1}); err != nil {
		return err
	}
	annotations := map[string]string{}
	json.Unmarshal(row["annotations"], &annotations) //nolint:errcheck,gosec // an object of texts, or there are none
	for name, value := range annotations {
		out[name] = value
	}
	return nil
}

// dumpAt is where a dump is, for who may have it.
func (h *Handler) dumpAt(r *http.Request, q url.Values) error {
	id, ok := crashID(q.Get("crash_id"))
	switch {
	case !access.From(r.Context()).Can(access.Dumps):
		return h.lacks(r, access.Dumps)
	case !ok:
		return &apiError{http.StatusBadRequest, "unknown crash id"}
	case h.o.Dumps == nil:
		return &apiError{http.StatusNotFound, "dumps are not served here"}
	}
	at := "/crash/" + id + "/dump"
	if name := q.Get("name"); name != "" {
		at += "?name=" + url.QueryEscape(name)
	}
	return &elsewhere{at}
}

func zoned(v json.RawMessage) string { return strings.Replace(ask.Shown(v), " ", "T", 1) + "+00:00" }

// maxThreads is how many threads a crash may say it has, and still get a list as long.
const maxThreads = 4096

// processedTwins are Crash Stats' names in a processed crash.
var processedTwins = map[string]string{
	"uuid": "crash_id", "crash_id": "crash_id", "build": "build_id", "release_channel": "channel", "os_name": "os", "os_version": "os_version", "os_pretty_version": "os_pretty_version", "cpu_microcode_version": "cpu_microcode",
	"useragent_locale": "locale", "last_crash": "seconds_since_last_crash", "productid": "product_id", "topmost_filenames": "topmost_file", "uptime_ts": "uptime_precise", "mdsw_status_string": "dump_status",
	"last_error_value": "last_error", "possible_bit_flips_max_confidence": "bit_flip_percent",
}

func (h *Handler) apiProcessed(r *http.Request, q url.Values) (any, error) {
	_, row, err := h.rowOf(r, q)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, errNoCrash
	}
	return processedCrash(row), nil
}

// processedCrash is a row with Crash Stats' names beside the tables', and its stack and modules
// as a stackwalker has them. Of the threads only the crashing one is public.
func processedCrash(row ask.Row) map[string]any {
	out := map[string]any{}
	for name, value := range row {
		if !strings.Contains(name, ".") && name != "annotations" {
			out[name] = value
		}
	}
	for twin, name := range processedTwins {
		out[twin] = row[name]
	}
	out["date_processed"], out["submitted_timestamp"] = zoned(row["received_at"]), zoned(row["received_at"])
	frames := framesOf(row)
	thread := map[string]any{"frames": frames, "frame_count": len(frames), "thread_name": row["crashing_thread_name"]}
	crashing := row["crashing_thread"]
	threads := []any{}
	if at, err := strconv.Atoi(ask.Shown(crashing)); err == nil && at >= 0 && at < maxThreads {
		count, _ := strconv.Atoi(ask.Shown(row["thread_count"])) // a number
		for i := range min(max(count, at+1), maxThreads) {
			if i == at {
				threads = append(threads, thread)
			} else {
				threads = append(threads, map[string]any{"frames": []any{}, "frame_count": 0})
			}
		}
	}
	info := map[string]any{"type": row["reason"], "address": nil, "crashing_thread": crashing}
	out["crash_info"] = info
	out["json_dump"] = map[string]any{
		"status": row["dump_status"], "crash_info": info, "crashing_thread": thread, "threads": threads, "thread_count": row["thread_count"], "modules": modulesOf(row),
		"system_info": map[string]any{"os": row["os"], "os_ver": row["os_version"], "cpu_arch": row["cpu_arch"], "cpu_info": row["cpu_info"], "cpu_count": row["cpu_count"]},
	}
	return out
}

// framesOf are the frames of the crashing thread, with what was inlined into each. Of ours are
// doubt and probability, where there are some, as `aftershock walk --json` writes them.
func framesOf(row ask.Row) []map[string]any {
	out := []map[string]any{}
	inlines := []map[string]any{}
	for _, v := range columns(row, "stack.frame", "stack.inlined", "stack.function", "stack.module", "stack.module_offset", "stack.file", "stack.line", "stack.trust", "stack.doubt", "stack.probability") {
		line, _ := strconv.Atoi(v[6]) // a number
		if v[1] == "1" {
			inlines = append(inlines, map[string]any{"function": orNull(v[2]), "file": orNull(v[5]), "line": numberOrNull(line)})
			continue
		}
		number, _ := strconv.Atoi(v[0]) // a number
		f := map[string]any{
			"frame": number, "function": orNull(v[2]), "module": orNull(v[3]), "module_offset": orNull(v[4]), "offset": nil, "file": orNull(v[5]), "line": numberOrNull(line), "trust": v[7],
			"inlines": inlines, "missing_symbols": v[2] == "",
		}
		if v[8] != "" {
			f["doubt"] = []string{v[8]}
		}
		if p, err := strconv.ParseFloat(v[9], 64); err == nil && p > 0 {
			f["probability"] = p
		}
		out = append(out, f)
		inlines = []map[string]any{}
	}
	return out
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func numberOrNull(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

func modulesOf(row ask.Row) []map[string]any {
	out := []map[string]any{}
	for _, v := range columns(row, "modules.filename", "modules.version", "modules.debug_file", "modules.debug_id", "modules.code_id", "modules.symbols") {
		out = append(out, map[string]any{"filename": v[0], "version": orNull(v[1]), "debug_file": v[2], "debug_id": v[3], "code_id": v[4], "missing_symbols": v[5] == "missing", "symbols": v[5]})
	}
	return out
}
