package stackwalk

import "testing"

// Calls as assemblers write them, and what only looks a little like one (Intel's manual,
// volume 2, tables 2-2 and 2-3).
func TestFollowsCall(t *testing.T) {
	for name, tc := range map[string]struct {
		code string
		want bool
	}{
		"call rel32":                       {"\x90\x90\xe8\x01\x02\x03\x04", true},
		"jmp rel32":                        {"\x90\x90\xe9\x01\x02\x03\x04", false},
		"call rel32, cut":                  {"\x01\x02\x03\x04", false},
		"call rax":                         {"\x90\x90\x90\x90\x90\xff\xd0", true},
		"jmp rax":                          {"\x90\x90\x90\x90\x90\xff\xe0", false},
		"push rax":                         {"\x90\x90\x90\x90\x90\xff\xf0", false},
		"inc eax":                          {"\x90\x90\x90\x90\x90\xff\xc0", false},
		"call [rax]":                       {"\x90\x90\x90\x90\x90\xff\x10", true},
		"call far [rax]":                   {"\x90\x90\x90\x90\x90\xff\x18", true},
		"call [rax+8]":                     {"\x90\x90\x90\x90\xff\x50\x08", true},
		"call [rip+4 bytes]":               {"\x90\xff\x15\x01\x02\x03\x04", true},
		"call [rax+4 bytes]":               {"\x90\xff\x90\x01\x02\x03\x04", true},
		"call [rsp]":                       {"\x90\x90\x90\x90\xff\x14\x24", true},
		"call [rsp+8]":                     {"\x90\x90\x90\xff\x54\x24\x08", true},
		"call [4 bytes], by a SIB":         {"\xff\x14\x25\x01\x02\x03\x04", true},
		"call [rsp+4 bytes]":               {"\xff\x94\x24\x01\x02\x03\x04", true},
		"an operand that goes on":          {"\x90\x90\x90\x90\xff\x90\x08", false},
		"an operand that ended before":     {"\x90\x90\x90\x90\xff\xd0\x08", false},
		"a SIB without base that goes on":  {"\x90\x90\x90\x90\xff\x14\x25", false},
		"a jump with an operand of 4 byte": {"\x90\xff\x25\x01\x02\x03\x04", false},
		"nothing":                          {"", false},
	} {
		if got := followsCall([]byte(tc.code)); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
