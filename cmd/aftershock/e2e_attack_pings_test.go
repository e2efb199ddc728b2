package main

import (
	"encoding/json"
	"strings"

	"github.com/google/uuid"
)

// hostilePing is a ping in whose texts nobody may find what stands there.
func hostilePing(d *decoys) submission {
	text := func() string {
		return d.pick("https://%s.example/login?token=%t", "/home/%s/secret", `C:\Users\%s\secret of %s`, "%s@example.org", "Bearer %t", "pass=%t", "my name is %s", "SIGSEGV / %t")
	}
	module := func() map[string]any {
		return map[string]any{
			"base_address": "0x400000", "end_address": d.pick("0x500000", "%t"), "filename": text(), "debug_file": text(), "debug_id": d.pick("%t", ""), // modules that are asked for have attackers of their own
			"code_id": text(), "version": text(), text(): text(),
		}
	}
	stack := map[string]any{
		"crash_type": text(), "crash_address": text(), "error": text(), "main_module": 1, "modules": []any{module(), module()},
		"threads": []any{map[string]any{"frames": []any{map[string]any{"ip": "0x401000", "module_index": 0, "trust": text()}, map[string]any{"ip": text(), "module_index": text()}}, text(): text()}},
	}
	body, _ := json.Marshal(map[string]any{ //nolint:errchkjson // maps and texts
		"document_id": uuid.NewString(), "os": text(), "channel": text(), "version": text(), "product": text(), "process_type": text(), "moz_crash_reason": text(),
		"ipc_channel_error": text(), "hang": text(), "utility_actors_name": text(), "async_shutdown_timeout": text(), "client_id": text(), text(): text(), "stack_traces": stack,
		"java_exception": map[string]any{"throwables": []any{map[string]any{"type_name": text(), "message": text(), "stack": []any{map[string]any{"class_name": text(), "method_name": text(), "file": text()}}}}},
	})
	return submission{path: "/ping", body: body, contentType: "application/json"}
}

// hugePing is a ping of as many elements as the door takes, which say nothing.
func hugePing(d *decoys) submission {
	list := "[" + strings.Repeat(d.pick("{},", "0,", `{"frames":[{}]},`, `{"ip":"0x1"},`, `"",`), 400_000) + "0]"
	body := `{"document_id":"` + uuid.NewString() + `","stack_traces":{"modules":` + list + `,"threads":[{"frames":` + list + `}]}}`
	return submission{path: "/ping", body: []byte(body), contentType: "application/json"}.zipped()
}
