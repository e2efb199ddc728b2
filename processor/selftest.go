package processor

import (
	"context"
	"embed"
	"fmt"
	"time"

	"aftershock/schema"
	"aftershock/symbolcache"
)

// Crashes that this build must understand: of testdata/crashes, without symbols.
//
//go:embed selftest/*.dmp
var selfTestDumps embed.FS

// SelfTest processes crashes that are part of the build. It fails when the build, or
// the machine that it runs on, cannot do its work: so it tells a bad deploy from bad
// crashes.
func (p *Processor) SelfTest(ctx context.Context) error {
	entries, err := selfTestDumps.ReadDir("selftest")
	if err != nil {
		return err
	}
	own := *p // whatever the symbol sources do is not the build's
	own.Symbols = Symbols{Find: func(context.Context, symbolcache.Key) symbolcache.Lookup {
		return symbolcache.Lookup{Outcome: symbolcache.Missing}
	}}
	for _, e := range entries {
		dump, err := selfTestDumps.ReadFile("selftest/" + e.Name())
		if err != nil {
			return err
		}
		if err := own.selfTest(ctx, dump); err != nil {
			return fmt.Errorf("self-test %s: %w", e.Name(), err)
		}
	}
	return nil
}

func (p *Processor) selfTest(ctx context.Context, dump []byte) error {
	out, err := p.Process(ctx, Input{Raw: &schema.RawCrash{CrashID: "00000000-0000-4000-8000-000000700101", ReceivedAt: time.Unix(0, 0).UTC()}, Dump: dump})
	if err != nil {
		return err
	}
	crashing := crashingThread(out)
	switch {
	case out.DumpStatus != schema.DumpOK:
		return fmt.Errorf("the dump is %s", out.DumpStatus)
	case crashing < 0 || crashing >= len(out.Threads) || len(out.Threads[crashing].Frames) < 2:
		return fmt.Errorf("the thread that crashed has no stack")
	case out.Signature == "":
		return fmt.Errorf("no signature")
	}
	_, err = schema.Encode(out)
	return err
}
