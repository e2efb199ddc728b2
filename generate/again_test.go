package generate

import "testing"

func TestReprocessedCrashesMayHaveAnotherSignatureOrVersion(t *testing.T) {
	g := newCrashes(t, Options{Count: 3000})
	signatures, versions, same := 0, 0, 0
	for i := range g.Len() {
		was, is := g.At(i), g.Reprocessed(i, 1)
		if is.CrashID != was.CrashID || !is.ReceivedAt.Equal(was.ReceivedAt) || is.Raw != was.Raw || is.Revision != 1 || is.SignatureVersion != was.SignatureVersion {
			t.Fatalf("crash %d is another one: %+v", i, is)
		}
		if encoded(t, is) != encoded(t, g.Reprocessed(i, 1)) {
			t.Fatalf("crash %d: another one each time", i)
		}
		switch {
		case is.Signature != was.Signature:
			signatures++
		case *is.Facts.DisplayVersion != *was.Facts.DisplayVersion:
			versions++
		default:
			is.Revision = 0
			if encoded(t, is) == encoded(t, was) {
				same++
			}
		}
	}
	for what, n := range map[string]int{"signature": signatures, "version": versions, "neither": same} {
		if n < 300 || n > 1800 {
			t.Errorf("%d of 3000 crashes have another %s", n, what)
		}
	}
}

// Another signature version moves whole signatures, and nothing else.
func TestOtherVersionsMoveSomeSignatures(t *testing.T) {
	g := newCrashes(t, Options{Count: 6000, Signatures: 400})
	became := map[string]string{}
	moved := map[string]bool{}
	for i := range g.Len() {
		was, is := g.At(i), g.InVersion(i, 2)
		if is.SignatureVersion != 2 || is.RulesetHash == was.RulesetHash {
			t.Fatalf("crash %d: %d, %s", i, is.SignatureVersion, is.RulesetHash)
		}
		if is.Signature != was.Signature {
			moved[was.Signature] = true
		}
		became[was.Signature] = is.Signature
		is.Signature, is.SignatureVersion, is.RulesetHash = was.Signature, was.SignatureVersion, was.RulesetHash
		if encoded(t, is) != encoded(t, was) {
			t.Fatalf("crash %d: more than the signature differs", i)
		}
	}
	if share := float64(len(moved)) / float64(len(became)); share < 0.03 || share > 0.2 {
		t.Errorf("%d of %d signatures are others", len(moved), len(became))
	}
	if c := g.InVersion(9, 1); encoded(t, c) != encoded(t, g.At(9)) {
		t.Error("the version it has gives another crash")
	}
	if c := newCrashes(t, Options{Count: 1, SignatureVersion: 3}).At(0); c.SignatureVersion != 3 {
		t.Errorf("signature version %d", c.SignatureVersion)
	}
}
