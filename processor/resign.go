package processor

import (
	"fmt"

	"aftershock/schema"
)

// Resign signs a processed crash of another signature version again: of it, what
// stands before its threads must have been read, and its first and crashing
// thread. It changes the signature version, the ruleset's hash, and the signature;
// all else is what Process would have made. A crash that was made with something else
// than another ruleset is refused.
func (p *Processor) Resign(c *schema.ProcessedCrash) error {
	switch {
	case c.ProcessVersion != Version:
		return fmt.Errorf("made with process version %d, want %d", c.ProcessVersion, Version)
	case c.RegistryHash != p.Annotations.Hash():
		return fmt.Errorf("made with annotation registry %.12s, want %.12s", c.RegistryHash, p.Annotations.Hash())
	}
	c.SignatureVersion, c.RulesetHash = p.SignatureVersion, p.Ruleset.Hash()
	p.sign(c)
	return nil
}
