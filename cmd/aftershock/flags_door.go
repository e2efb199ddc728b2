package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"aftershock/collector"
	"aftershock/collector/throttle"
	"aftershock/spool"
)

// doorFlags are the collector's.
type doorFlags struct {
	CollectorListen string        `help:"Address of the door: POST /submit." default:"127.0.0.1:8000"`
	InlineMax       int           `help:"Largest compressed dump, in bytes, that travels inside its event; 0 sends every dump to the blob store." default:"65536"`
	BodyDir         string        `help:"Directory for the bodies that memory has no room for, while they arrive: files without names. By default the system's for temporary files." placeholder:"DIR"`
	Throttle        string        `help:"Rules that say which reports are kept (docs/throttle.md). They are read again when the file changes, and on SIGHUP. Without it, all are." placeholder:"FILE"`
	RetryWindow     time.Duration `help:"How long a report that is sent again, to this door, is answered with its first crash id and stored once; 0 stores each." default:"10m"`
	CrashIDToken    string        `name:"crash-id-token-file" help:"File with a token: clients that send it as Authorization: Bearer may choose the crash ids of their reports." placeholder:"FILE"`
	Sentry          bool          `help:"Take reports at /api/<project>/minidump/ too, where clients of Sentry send them."`
	doorLimitFlags
	doorNetFlags
	Spool      string `help:"Directory, of this door alone, that takes crashes while no broker does; they go there when one is back. Without it, clients are told to send again, and most never do." placeholder:"DIR"`
	SpoolBytes int64  `help:"Bytes of the disk that the spool may take." default:"1073741824"`
}

// doorLimitFlags bound what senders may hold of the door.
type doorLimitFlags struct {
	MaxBody            int64         `help:"Largest body of a report on the wire, in bytes." default:"52428800"`
	MaxInflated        int64         `help:"Largest body after it is inflated, in bytes; 0 is twice --max-body."`
	MaxParts           int           `help:"Most parts of a report." default:"1000"`
	MaxAnnotations     int           `help:"Most annotations of a report that are kept, 800 at most; the rest is noted." default:"800"`
	MaxAnnotationBytes int           `help:"Most bytes of all annotations of a report together." default:"25165824"`
	MaxHead            int           `help:"Largest head of a request, in bytes." default:"65536"`
	Arriving           int64         `help:"Reports that are read at once; more are asked to come again." default:"4096"`
	PerAddress         int           `help:"Reports of one address (an IPv6 /64) that are read at once. Behind a proxy all come from one, unless --trusted-proxy names it." default:"2048"`
	BodyRate           int64         `help:"Least bytes a second of a body, after --body-grace; a slower one is refused." default:"1024"`
	BodyGrace          time.Duration `help:"How long a body may be slower than --body-rate, or pause." default:"15s"`
}

// doorNetFlags say who the door speaks with.
type doorNetFlags struct {
	TrustedProxy []string `help:"Address or network of a proxy whose X-Forwarded-For tells where a report comes from. Repeat it." placeholder:"CIDR"`
	CORSOrigin   []string `name:"cors-origin" help:"Origin of web pages that may send reports, such as https://app.example; * is every one. Repeat it." placeholder:"ORIGIN"`
	TLSCert      string   `help:"Certificate chain, PEM: the door then speaks HTTPS and HTTP/2. Both files are read again when they change." placeholder:"FILE"`
	TLSKey       string   `help:"Its key, PEM." placeholder:"FILE"`
}

// Validate is called by the flags' parser.
func (f *doorFlags) Validate() error {
	if f.RetryWindow < 0 {
		return errors.New("--retry-window: want 0 or more")
	}
	return errors.Join(f.doorLimitFlags.validate(), f.doorNetFlags.validate())
}

func (f *doorLimitFlags) validate() error {
	switch {
	case f.Arriving < 1 || f.PerAddress < 1 || f.BodyRate < 1 || f.BodyGrace <= 0:
		return errors.New("--arriving, --per-address, --body-rate, --body-grace: want more than 0")
	case f.MaxBody < 1 || f.MaxInflated < 0 || f.MaxParts < 1 || f.MaxAnnotationBytes < 1 || f.MaxHead < 1:
		return errors.New("--max-body, --max-inflated, --max-parts, --max-annotation-bytes, --max-head: want more than 0")
	case f.MaxAnnotations < 1 || f.MaxAnnotations > collector.MaxAnnotations:
		return fmt.Errorf("--max-annotations: want 1 to %d", collector.MaxAnnotations)
	}
	return nil
}

func (f *doorNetFlags) validate() error {
	if (f.TLSCert == "") != (f.TLSKey == "") {
		return errors.New("--tls-cert and --tls-key go together")
	}
	for _, o := range f.CORSOrigin {
		if o != "*" && (!strings.Contains(o, "://") || strings.Count(o, "/") != 2) {
			return fmt.Errorf("--cors-origin %q: want scheme://host[:port], without a path, or *", o)
		}
	}
	_, err := f.proxies()
	return err
}

// proxies are those that are believed.
func (f *doorNetFlags) proxies() (out []netip.Prefix, err error) {
	for _, text := range f.TrustedProxy {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, fmt.Errorf("--trusted-proxy %q: want an address, or a network such as 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// limits are the collector's.
func (f *doorLimitFlags) limits() collector.Limits {
	inflated := f.MaxInflated
	if inflated == 0 {
		inflated = 2 * f.MaxBody
	}
	return collector.Limits{
		BodyBytes: f.MaxBody, InflatedBytes: inflated, Parts: f.MaxParts, Annotations: f.MaxAnnotations, AnnotationBytes: f.MaxAnnotationBytes,
		Arriving: f.Arriving, PerAddress: f.PerAddress, BytesPerSecond: f.BodyRate, Grace: f.BodyGrace,
	}
}

// check refuses what would not work before anything is started.
func (f *doorFlags) check() error {
	if f.SpoolBytes < spool.MinBytes {
		return &usageError{fmt.Sprintf("--spool-bytes %d: want at least %d", f.SpoolBytes, spool.MinBytes)}
	}
	if f.Throttle != "" {
		if _, err := throttle.Open(f.Throttle); err != nil {
			return &usageError{fmt.Sprintf("--throttle: %v", err)}
		}
	}
	_, err := f.token()
	return err
}

// maxTokenBytes bounds the file of a token.
const maxTokenBytes = 4 << 10

// token is what lets clients choose crash ids, "" when nobody may.
func (f *doorFlags) token() (string, error) {
	if f.CrashIDToken == "" {
		return "", nil
	}
	text, err := readSmall(f.CrashIDToken, maxTokenBytes)
	if err != nil {
		return "", &usageError{fmt.Sprintf("--crash-id-token-file: %v", err)}
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", &usageError{fmt.Sprintf("--crash-id-token-file: %s is empty", f.CrashIDToken)}
	}
	return token, nil
}
