package collector

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"aftershock/collector/throttle"
	"aftershock/schema"
)

// Throttle digits of crash ids, as those of the reference: of a report that only seems to
// be taken, too.
var digits = map[throttle.Result]byte{throttle.Accept: '0', throttle.Defer: '1', throttle.FakeAccept: '3'}

// ruling is an answer that discards the report by a rule.
type ruling struct{ rule string }

func (r *ruling) Error() string { return "discarded by rule " + r.rule }

// decide begins the raw crash: its id, which is new unless the client has chosen one or it
// is a ping, and what the rules make of it. It returns a *ruling when they discard it.
func (c *Collector) decide(rep *report, received time.Time, id string) (*schema.RawCrash, error) {
	chosen, ours := id != "", false
	switch {
	case chosen:
	case rep.pingID != "":
		// What the rules say of it when it is sent again makes no other crash of it: the digit
		// tells nothing.
		id = pingCrashID(rep.pingID, received)
	default:
		id, ours = schema.NewCrashID(received, 0), true
	}
	d := c.o.Rules().Decide(throttle.Report{Kind: rep.kind, Annotations: rep.annotations, Dump: rep.mainDump(), CrashID: id, Received: received})
	c.metrics.ruled(d)
	if d.Result == throttle.Reject {
		return nil, &ruling{d.Rule}
	}
	if ours || !chosen && d.Result == throttle.FakeAccept {
		id = id[:schema.CrashIDDigit] + string(digits[d.Result]) + id[schema.CrashIDDigit+1:]
	}
	return &schema.RawCrash{
		CrashID: id, Kind: rep.kind, ReceivedAt: received.UTC().Truncate(time.Millisecond),
		Throttle: schema.Throttle{Rule: d.Rule, Rate: d.Rate, Result: string(d.Result)},
	}, nil
}

// pingCrashID is the crash id of a ping that is received then. It is made of the ping's own
// id so that nobody can make that of another crash, and all of it counts.
func pingCrashID(own string, received time.Time) string {
	return crashIDOf(sha256.Sum256([]byte("ping "+own)), received)
}

// crashIDOf is a crash id that is made of a digest, and looks like a random one.
func crashIDOf(sum [sha256.Size]byte, received time.Time) string {
	u := uuid.UUID(sum[:16])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return schema.CrashIDOf(u.String(), received, 0)
}

// annotationID is how a client names the crash id that it wants.
const annotationID = "uuid"

// chosenID is the crash id that a client has chosen, "" for none. Whoever may choose sends
// the token; when nobody may, uuid is an annotation like any other of those who do not ask.
func (c *Collector) chosenID(rep *report, authorization string) (string, error) {
	id, chosen := rep.annotations[annotationID]
	if !chosen || c.o.IDToken == "" && authorization == "" {
		return "", nil
	}
	token, bearer := strings.CutPrefix(authorization, "Bearer ")
	if !bearer || !sameToken(token, c.o.IDToken) {
		return "", refuse(schema.RejectIDToken, nil)
	}
	if _, err := schema.CrashDay(id); err != nil || id[schema.CrashIDDigit] != '0' && id[schema.CrashIDDigit] != '1' {
		return "", refuse(schema.RejectID, errors.New("the annotation uuid is no crash id"))
	}
	delete(rep.annotations, annotationID)
	return id, nil
}

// sameToken compares in constant time; no token is the same as none.
func sameToken(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return b != "" && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// mainDump is what rules see of the main dump, or of a ping's stack.
func (r *report) mainDump() throttle.Dump {
	name := schema.MainDumpOf(r.kind)
	for _, d := range r.dumps {
		if d.name == name {
			kind := throttle.KindOther
			switch {
			case r.kind == schema.KindPing:
				kind = throttle.KindStack
			case d.minidump:
				kind = throttle.KindMinidump
			}
			return throttle.Dump{Present: true, Size: d.size, Kind: kind}
		}
	}
	return throttle.Dump{}
}
