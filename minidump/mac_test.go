package minidump_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"aftershock/minidump"
	"aftershock/minidump/minidumptest"
)

func TestMacCrashInfo(t *testing.T) {
	texts := []string{"libc++", "uncaught", "", "bt", "more"}
	d := parse(t, mac().MacBootArgs("-v keepsyms=1").MacCrashInfo(
		minidumptest.MacCrashRecord{Version: 5, Numbers: []uint64{1, 2, 3}, Texts: texts},
		minidumptest.MacCrashRecord{Version: 5, Numbers: []uint64{1, 2, 3}, Texts: texts[:3]},
		minidumptest.MacCrashRecord{Version: 1, Numbers: []uint64{1, 2, 3}, Texts: texts},
		minidumptest.MacCrashRecord{Version: 4, Numbers: []uint64{1, 2, 3}, Texts: texts},
	))
	want := []minidump.MacCrashRecord{
		{Version: 5, Thread: 1, DialogMode: 2, AbortCause: 3, Module: "libc++", Message: "uncaught", Backtrace: "bt", Message2: "more"},
		{Version: 1},
		{Version: 4, Thread: 1, DialogMode: 2, Module: "libc++", Message: "uncaught", Backtrace: "bt", Message2: "more"},
	}
	if diff := cmp.Diff(want, d.MacCrashRecords); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]minidump.Finding{{Code: minidump.FindingMacCrashRecord, Index: 1}}, d.Findings); diff != "" {
		t.Error(diff)
	}
	if d.MacBootArgs != "-v keepsyms=1" {
		t.Error(d.MacBootArgs)
	}
}

func TestMacCrashInfoIsBounded(t *testing.T) {
	text := strings.Repeat("x", 64<<10)
	record := func(text string) minidumptest.MacCrashRecord {
		return minidumptest.MacCrashRecord{Version: 4, Numbers: []uint64{1, 2}, Texts: []string{text, "", "", "", ""}}
	}
	if d := parse(t, mac().MacCrashInfo(record(text), record(text+"x"))); len(d.MacCrashRecords) != 1 || d.MacCrashRecords[0].Module != text {
		t.Errorf("%d records", len(d.MacCrashRecords))
	}
	for n, want := range map[uint32]bool{20: true, 21: false} {
		body := make([]byte, 12+8*21)
		binary.LittleEndian.PutUint32(body[4:], n)
		d := parse(t, mac().Stream(minidump.StreamMozMacosCrashInfo, body))
		if got := d.MacCrashRecords != nil; got != want || has(d, minidump.FindingMacCrashInfo) == want {
			t.Errorf("%d records: read %v", n, got)
		}
	}
}

func TestThreadInfo(t *testing.T) {
	le := binary.LittleEndian
	body := le.AppendUint32(le.AppendUint32(le.AppendUint32(nil, 12), 64), 1)
	for i := range uint32(4) {
		body = le.AppendUint32(body, 1+i)
	}
	for i := range uint64(6) {
		body = le.AppendUint64(body, 5+i)
	}
	d := parse(t, windows().Stream(minidump.StreamThreadInfoList, body))
	want := []minidump.ThreadInfo{{
		ID: 1, DumpFlags: 2, DumpError: 3, ExitStatus: 4, CreateTime: 5, ExitTime: 6, KernelTime: 7, UserTime: 8, StartAddress: 9, Affinity: 10,
	}}
	if diff := cmp.Diff(want, d.ThreadInfo); diff != "" {
		t.Error(diff)
	}
	if d := parse(t, windows().Stream(minidump.StreamThreadInfoList, body[:len(body)-1])); !has(d, minidump.FindingThreadInfo) {
		t.Error("a list that is cut is read")
	}
}

func TestAssertionEnvironmentAndStabilityReport(t *testing.T) {
	body := make([]byte, 3*256+8)
	for i, r := range "x > 0" {
		body[2*i] = byte(r)
	}
	body[3*256] = 42
	d := parse(t, windows().Stream(minidump.StreamAssertionInfo, body).
		Stream(minidump.StreamLinuxEnviron, []byte("HOME=/root\x00EMPTY=\x00junk\x00A=b=c\x00")).
		Stream(minidump.StreamStabilityReport, []byte{8, 1}))
	if diff := cmp.Diff(&minidump.Assertion{Expression: "x > 0", Line: 42}, d.Assertion); diff != "" {
		t.Error(diff)
	}
	want := []minidump.KeyValue{{Key: "HOME", Value: "/root"}, {Key: "EMPTY"}, {Key: "A", Value: "b=c"}}
	if diff := cmp.Diff(want, d.LinuxEnvironment()); diff != "" {
		t.Error(diff)
	}
	if string(d.StabilityReport) != "\x08\x01" {
		t.Error(d.StabilityReport)
	}
	if d := parse(t, windows().Stream(minidump.StreamAssertionInfo, body[1:])); !has(d, minidump.FindingAssertion) || d.Assertion != nil {
		t.Error("an assertion that is cut is read")
	}
}
