package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// SideFiles are the ends of the files that say something of the dump beside them.
var SideFiles = []string{".extra", ".json", ".meta"}

// Beside adds what a side file says.
func (c *Crash) Beside(end string, text []byte) error {
	switch {
	case end == ".meta":
		return c.meta(text)
	case bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")):
		c.JSON = text
		return nil
	case end == ".json":
		return errors.New("want a JSON object")
	}
	return c.extra(text)
}

// extra reads Firefox's form before version 80: a name and a value a line, with line
// breaks and backslashes escaped (CrashReporterClient, UnescapeString).
func (c *Crash) extra(text []byte) error {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	unescape := strings.NewReplacer(`\n`, "\n", `\\`, `\`)
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			continue
		}
		name, value, is := strings.Cut(line, "=")
		if !is || name == "" {
			return fmt.Errorf("line %d: want NAME=VALUE", n+1)
		}
		c.Annotations[name] = unescape.Replace(value)
	}
	return nil
}

// Of Crashpad's metadata on Linux and Windows the version, tries to upload and their last
// time come first, then when the dump was made (client/crash_report_database_generic.cc,
// ReportMetadata): 32 bits twice, then 64 bits twice, then a byte whose lowest bit says that
// it was uploaded.
const (
	metaVersion  = 1
	metaBytes    = 25
	metaUploaded = 1
)

// meta reads it: when the crash was, and whether it was sent.
func (c *Crash) meta(text []byte) error {
	if len(text) < metaBytes || binary.LittleEndian.Uint32(text) != metaVersion {
		return errors.New("it is not Crashpad's metadata, version 1")
	}
	created := int64(binary.LittleEndian.Uint64(text[16:]))
	if created <= 0 || created > maxSeconds {
		return errors.New("its time makes no sense")
	}
	c.Received, c.Sent = time.Unix(created, 0).UTC(), text[metaBytes-1]&metaUploaded != 0
	return nil
}

// maxSeconds is the year 2100.
const maxSeconds = 4_102_444_800
