package signature

import (
	"testing"

	"aftershock/schema"
)

// What stands before a frame's class is a class loader and a module: no address of mail.
func TestNoMailAddressBeforeAClass(t *testing.T) {
	for line, want := range map[string]int{
		"at john.smith@corp.test/a.B.c(B.java:1)": 0, "at x/john@corp.test/a.B.c(B.java:1)": 0, "at john@corp.test//a.B.c(B.java:1)": 0,
		"at a.B.c(B.java:1)": 1, "at java.base/a.B.c(B.java:1)": 1, "at java.base@17.0.1/a.B.c(B.java:1)": 1, "at app//a.B.c(B.java:1)": 1, "at app/my.module@1.0-rc2/a.B.c(B.java:1)": 1,
	} {
		code, _ := JavaCodeOf([]schema.Annotation{{Name: "JavaStackTrace", Value: "java.lang.Error: x\n\t" + line}})
		if len(code.Frames) != want {
			t.Errorf("%s: %q", line, code.Frames)
		}
	}
}
