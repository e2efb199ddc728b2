package blob

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"aftershock/schema"
)

// maxNameBytes keeps a key's last element well below a file system's 255.
const maxNameBytes = 64

// Everything lies below root, in folders of days, in folders of crashes.
const (
	root = "raw/v1"
	date = "2006/01/02"
)

func dayFolder(day time.Time) string { return root + "/" + day.Format(date) }

// Key is where a blob of a crash lies:
// raw/v1/YYYY/MM/DD/<crash id>/<name>-<first 16 digits of the SHA-256>.
// It fails for a crash id of another shape. Characters of name that are not
// letters, digits or underscores become underscores.
func Key(crashID, name string, sum schema.SHA256) (string, error) {
	day, err := schema.CrashDay(crashID)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrBadKey, err)
	}
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
	if len(clean) > maxNameBytes {
		clean = clean[:maxNameBytes]
	}
	return fmt.Sprintf("%s/%s/%s-%s", dayFolder(day), crashID, clean, hex.EncodeToString(sum[:8])), nil
}

// last is a key's last element. Key and the pattern hold the same bound.
var last = regexp.MustCompile(fmt.Sprintf(`^[A-Za-z0-9_]{0,%d}-[0-9a-f]{16}$`, maxNameBytes))

// Day is the UTC day of a key; it wraps ErrBadKey unless Key could have made it.
// Keys come from events and listings, and become paths.
func Day(key string) (time.Time, error) {
	folder, name := split(key)
	day, err := crashFolder(folder)
	if err != nil || !last.MatchString(name) {
		return time.Time{}, badKey(key)
	}
	return day, nil
}

// crashFolder is the day of a crash's folder.
func crashFolder(folder string) (time.Time, error) {
	_, crashID := split(folder)
	day, err := schema.CrashDay(crashID)
	if err != nil || folder != dayFolder(day)+"/"+crashID {
		return time.Time{}, badKey(folder)
	}
	return day, nil
}

func split(key string) (folder, name string) {
	i := strings.LastIndexByte(key, '/')
	return key[:max(i, 0)], key[i+1:]
}

func badKey(key string) error { return fmt.Errorf("%w %.256q", ErrBadKey, key) }

// days descends from root to the folders of days; below gives the names of a
// folder's subfolders, in order. Others than ours are left alone.
func days(below func(folder string) ([]string, error)) ([]time.Time, error) {
	folders := []string{root}
	for _, layout := range []string{"2006", "01", "02"} {
		var deeper []string
		for _, folder := range folders {
			names, err := below(folder)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				if _, err := time.Parse(layout, name); err == nil {
					deeper = append(deeper, folder+"/"+name)
				}
			}
		}
		folders = deeper
	}
	var out []time.Time
	for _, folder := range folders {
		if day, err := time.Parse(date, folder[len(root)+1:]); err == nil {
			out = append(out, day)
		}
	}
	return out, nil
}
