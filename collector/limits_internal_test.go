package collector

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The door's limits are those that operators and clients know.
func TestDefaultsOfLimits(t *testing.T) {
	want := Limits{
		BodyBytes: 52_428_800, InflatedBytes: 104_857_600, Parts: 1000, Arriving: 4096, PerAddress: 2048, HeldBytes: 67_108_864, DiskBytes: 4_294_967_296,
		Reports: 256, LargeReports: 4, SmallBytes: 1_048_576, BytesPerSecond: 1024, Grace: 15 * time.Second, BodyTime: 7200 * time.Second,
		Annotations: 800, AnnotationBytes: 25_165_824,
	}
	if got := (Limits{}).withDefaults(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	var one, less Limits
	for of, value := range map[*Limits]int64{&one: 1, &less: -1} {
		v := reflect.ValueOf(of).Elem()
		for i := range v.NumField() {
			v.Field(i).SetInt(value)
		}
	}
	if got := one.withDefaults(); got != one {
		t.Errorf("what is said does not count: %+v", got)
	}
	if got := less.withDefaults(); got != want {
		t.Errorf("below 0: %+v", got)
	}
	for annotations, want := range map[int]int{799: 799, 800: 800, 801: 800} {
		if got := (Limits{Annotations: annotations}).withDefaults().Annotations; got != want {
			t.Errorf("%d annotations: %d", annotations, got)
		}
	}
}

// What is waited for ends, and what is read is bounded, as docs and clients know.
func TestBoundsOfTheDoor(t *testing.T) {
	for name, tc := range map[string]struct{ got, want int64 }{
		"arriveWait": {int64(arriveWait), 2e9}, "placeWait": {int64(placeWait), 20e9}, "keepTime": {int64(keepTime), 60e9}, "answerTime": {int64(answerTime), 30e9},
		"lingerTime": {int64(lingerTime), 3e9}, "lingerBytes": {lingerBytes, 67_108_864}, "checkTime": {int64(checkTime), 5e9}, "checkAge": {int64(checkAge), 2e9},
		"maxTextBytes": {maxTextBytes, 20_971_520}, "maxJSONBytes": {maxJSONBytes, 8_388_608}, "maxJSONNames": {maxJSONNames, 10_000}, "maxJSONDepth": {maxJSONDepth, 1000},
		"maxPartHeader": {maxPartHeader, 8192}, "maxPartHeaderLines": {maxPartHeaderLines, 64}, "maxBoundary": {maxBoundary, 70}, "maxBoundaryPadding": {maxBoundaryPadding, 64},
		"maxDumps": {maxDumps, 16}, "maxUserAgentBytes": {maxUserAgentBytes, 256}, "maxInlineAnnotation": {maxInlineAnnotation, 4096}, "maxInlineAnnotations": {maxInlineAnnotations, 131_072},
		"firstChunk": {firstChunk, 16_384}, "nextChunk": {nextChunk, 65_536}, "diskStep": {diskStep, 1_048_576}, "eventOverhead": {eventOverhead, 12_288}, "retryAfter": {retryAfter, 10},
	} {
		if tc.got != tc.want {
			t.Errorf("%s is %d, want %d", name, tc.got, tc.want)
		}
	}
}

// A text is cut at its limit and not below it, and never within a character.
func TestClippedTextsAreWhole(t *testing.T) {
	for _, tc := range []struct {
		text string
		n    int
		want string
	}{
		{"", 0, ""},
		{"abc", 4, "abc"},
		{"abc", 3, "abc"},
		{"abc", 2, "ab"},
		{"abc", 0, ""},
		{"aé", 3, "aé"},
		{"aé", 2, "a"},
		{"é", 1, ""},
		{"a€€", 6, "a€"},
		{"€", 2, ""},
		{"a\xffb", 3, "a\uFFFDb"},
		{"a\xffbc", 3, "a\uFFFDb"},
		{"\x80\x80", 1, ""},
	} {
		if got := clip(tc.text, tc.n); got != tc.want || !utf8.ValidString(got) {
			t.Errorf("%q cut at %d: %q, want %q", tc.text, tc.n, got, tc.want)
		}
	}
	if got := clip(strings.Repeat("x", 300), maxUserAgentBytes); len(got) != 256 {
		t.Errorf("%d bytes", len(got))
	}
}
