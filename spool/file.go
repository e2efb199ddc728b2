package spool

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"aftershock/schema"
)

// A file is: magic, SHA-256 of all that follows and of the crash id, the time of
// receipt in Unix milliseconds (big endian), the event. Its name is a number that
// grows with every crash, and the crash id: nothing of the report.
const (
	magic       = "aftershock spool 1\n"
	digestAt    = len(magic)
	timeAt      = digestAt + sha256.Size
	headerBytes = timeAt + 8

	numberDigits = 16
	nameBytes    = numberDigits + 1 + 36
)

var errDamaged = errors.New("not what was written")

// fileName of a crash.
func fileName(number uint64, crashID string) string {
	return fmt.Sprintf("%0*x-%s", numberDigits, number, crashID)
}

// parseName tells a crash's file from everything else.
func parseName(name string) (number uint64, crashID string, ok bool) {
	if len(name) != nameBytes || name[numberDigits] != '-' {
		return 0, "", false
	}
	number, err := strconv.ParseUint(name[:numberDigits], 16, 64)
	crashID = name[numberDigits+1:]
	if _, bad := schema.CrashDay(crashID); err != nil || bad != nil || fileName(number, crashID) != name {
		return 0, "", false
	}
	return number, crashID, true
}

// encode makes a file's bytes.
func encode(r Record) []byte {
	data := make([]byte, headerBytes, headerBytes+len(r.Event))
	copy(data, magic)
	binary.BigEndian.PutUint64(data[timeAt:], uint64(r.ReceivedAt.UnixMilli()))
	data = append(data, r.Event...)
	sum := digest(r.CrashID, data)
	copy(data[digestAt:], sum[:])
	return data
}

// decode reads a file's bytes back; crashID is its name's.
func decode(crashID string, data []byte) (Record, error) {
	if len(data) < headerBytes || !strings.HasPrefix(string(data[:digestAt]), magic) {
		return Record{}, errDamaged
	}
	if digest(crashID, data) != [sha256.Size]byte(data[digestAt:timeAt]) {
		return Record{}, errDamaged
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(data[timeAt:]))).UTC()
	return Record{CrashID: crashID, ReceivedAt: at, Event: data[headerBytes:]}, nil
}

func digest(crashID string, data []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write([]byte(crashID)) // a hash's Write
	h.Write(data[timeAt:])   // never fails
	return [sha256.Size]byte(h.Sum(sum[:0]))
}
