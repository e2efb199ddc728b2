package generate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"aftershock/schema"
)

// turn is how a crash differs from what At gives.
type turn struct {
	revision  int64
	signature uint64 // another draw of the signature
	back      int    // builds before
}

// Reprocessed is a crash as it is made again, in a revision above 0: a third of them have
// another signature then, a third another version of the program where there was one before,
// the others stay as they are.
func (g *Crashes) Reprocessed(i int, revision int64) *schema.ProcessedCrash {
	s := streamOf(g.o.Seed, ofRepeat, uint64(i))
	t := turn{revision: revision}
	switch s.below(3) {
	case 0:
		t.signature = uint64(revision)
	case 1:
		t.back = 2
	}
	return g.crash(i, t)
}

// InVersion is a crash in another signature version: a tenth of the signatures go on to the
// next frame there, as if it was called a prefix. The ruleset's hash is none of a ruleset.
func (g *Crashes) InVersion(i int, version int32) *schema.ProcessedCrash {
	c := g.At(i)
	if version == g.o.SignatureVersion {
		return c
	}
	c.SignatureVersion = version
	sum := sha256.Sum256(fmt.Appendf(nil, "generated %d", version))
	c.RulesetHash = hex.EncodeToString(sum[:])
	rule := sha256.Sum256([]byte(c.Signature))
	if rule[0] >= 26 { // of 256
		return c
	}
	frames := strings.Split(c.ProtoSignature, " | ")
	for k := range len(frames) - 1 {
		if strings.HasSuffix(c.Signature, frames[k]) {
			c.Signature += " | " + frames[k+1]
			break
		}
	}
	return c
}
