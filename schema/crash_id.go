package schema

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// CrashIDDigit is where the throttle digit of a crash id stands: what is before it is
// random, and the UTC date received, YYMMDD, is behind it.
const CrashIDDigit = 29

// NewCrashID makes a crash id of a random UUID.
func NewCrashID(received time.Time, throttleDigit int) string {
	return CrashIDOf(uuid.NewString(), received, throttleDigit)
}

// CrashIDOf makes the crash id of a UUID in small letters, of which it keeps what stands
// before the throttle digit.
func CrashIDOf(uuid string, received time.Time, throttleDigit int) string {
	return fmt.Sprintf("%s%d%s", uuid[:CrashIDDigit], throttleDigit%10, received.UTC().Format("060102"))
}

// CrashDay is the UTC date in a crash id. It fails unless the whole id has a
// crash id's shape: partitions and blob keys are made of it.
func CrashDay(crashID string) (time.Time, error) {
	if len(crashID) != 36 {
		return time.Time{}, fmt.Errorf("crash id %q: want 36 characters, have %d", clip(crashID), len(crashID))
	}
	for i, c := range []byte(crashID) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
		if dash != (c == '-') || !dash && !hex {
			return time.Time{}, fmt.Errorf("crash id %q: character %d is out of place", crashID, i)
		}
	}
	day, err := time.Parse("060102", crashID[30:])
	if err != nil {
		return time.Time{}, fmt.Errorf("crash id %q: its last six characters are no date", crashID)
	}
	return day, nil
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
