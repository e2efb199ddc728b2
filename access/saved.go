package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"aftershock/internal/watched"
)

// Kind is what somebody has saved.
type Kind string

// The kinds.
const (
	SavedSearch Kind = "search" // a page with its filter, by a name
	SavedList   Kind = "list"   // signatures that rankings leave out
	SavedLink   Kind = "link"   // a page with its filter, by a short address
)

// Limits of what is saved.
const (
	MaxSaved      = 20_000 // of all viewers
	MaxSearches   = 100    // of one viewer, as what follows
	MaxLists      = 20
	MaxLinks      = 500
	MaxSavedName  = 100  // bytes
	MaxSavedPath  = 4096 // bytes, with what stands behind a question mark
	MaxListed     = 200  // signatures of a list
	MaxListBytes  = 32 << 10
	savedIDBytes  = 6
	maxSavedBytes = 64 << 20
)

// mostOf are how many of a kind one viewer may have.
var mostOf = map[Kind]int{SavedSearch: MaxSearches, SavedList: MaxLists, SavedLink: MaxLinks}

// Saved is something that a viewer has saved. Searches are for themselves; links and lists are for
// whoever has the id.
type Saved struct {
	ID         string    `json:"id"`
	Owner      string    `json:"owner"`
	OwnerID    string    `json:"owner_id,omitempty"` // of a user of the file
	Kind       Kind      `json:"kind"`
	Name       string    `json:"name,omitempty"`
	Path       string    `json:"path,omitempty"`
	Signatures []string  `json:"signatures,omitempty"`
	At         time.Time `json:"at"`
}

// Keep is what viewers have saved, in a file that may change at any time. It is safe for
// concurrent use.
type Keep struct {
	file *watched.File[Saved]
	now  func() time.Time
}

// OpenKeep is the keep of a file; one that does not exist has nothing.
func OpenKeep(file string, now func() time.Time) (*Keep, error) {
	f, err := watched.Open(watched.Options[Saved]{What: "saved", Path: file, Bytes: maxSavedBytes, Now: now, Check: checkSaved})
	return &Keep{f, now}, err
}

func checkSaved(all []Saved) error {
	if len(all) > MaxSaved {
		return &SavedError{fmt.Sprintf("all viewers together have %d: somebody must remove some", MaxSaved)}
	}
	seen := map[string]bool{}
	for i := range all {
		s := &all[i]
		if err := s.check(); err != nil {
			return fmt.Errorf("%.40q: %w", s.ID, err)
		}
		if s.ID == "" || seen[s.ID] {
			return fmt.Errorf("the id %.40q is there twice, or empty", s.ID)
		}
		seen[s.ID] = true
	}
	return nil
}

// SavedError is about what was to be saved; what it says is for who asked.
type SavedError struct{ Text string }

func (e *SavedError) Error() string { return "saved: " + e.Text }

// check refuses what may not be saved.
func (s *Saved) check() error {
	if mostOf[s.Kind] == 0 {
		return &SavedError{"want a search, a list or a link"}
	}
	if s.Kind != SavedLink && (s.Name == "" || len(s.Name) > MaxSavedName || !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, unicode.IsControl)) {
		return &SavedError{fmt.Sprintf("want a name of 1 to %d bytes", MaxSavedName)}
	}
	if s.Kind != SavedList {
		if !strings.HasPrefix(s.Path, "/") || len(s.Path) > MaxSavedPath {
			return &SavedError{fmt.Sprintf("want a page of these, with an address of at most %d bytes", MaxSavedPath)}
		}
		return nil
	}
	bytes := 0
	for _, signature := range s.Signatures {
		bytes += len(signature)
		if signature == "" || !utf8.ValidString(signature) || strings.ContainsFunc(signature, unicode.IsControl) {
			return &SavedError{"want a signature a line"}
		}
	}
	if len(s.Signatures) > MaxListed || bytes > MaxListBytes {
		return &SavedError{fmt.Sprintf("want at most %d signatures, of together at most %d bytes", MaxListed, MaxListBytes)}
	}
	return nil
}

// of tells whether it is somebody's, and not of who had the name before.
func (s *Saved) of(owner, id string) bool { return s.Owner == owner && s.OwnerID == id }

// Of is what an owner has saved, the newest first.
func (k *Keep) Of(owner, ownerID string) ([]Saved, error) {
	all, err := k.file.List()
	if err != nil {
		return nil, err
	}
	var of []Saved
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].of(owner, ownerID) {
			of = append(of, all[i])
		}
	}
	return of, nil
}

// Find is the link or list of an id, whoever has saved it, or nil.
func (k *Keep) Find(kind Kind, id string) (*Saved, error) {
	all, err := k.file.List()
	if err != nil || kind == SavedSearch {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(s Saved) bool { return s.ID == id && s.Kind == kind }); i >= 0 {
		found := all[i]
		return &found, nil
	}
	return nil, nil //nolint:nilnil // there is none
}

// ErrNotSaved says that there is no such thing of theirs.
var ErrNotSaved = errors.New("there is no such thing")

// Save keeps something, and returns it with its id. What has the same name of the same kind it
// takes the place of; a link that is there already stays as it is.
func (k *Keep) Save(s Saved) (Saved, error) {
	if err := s.check(); err != nil {
		return s, err
	}
	s.At = k.now().UTC().Truncate(time.Second)
	err := k.file.Change(func(all []Saved) (changed []Saved, err error) {
		changed, s.ID, err = put(all, s)
		return changed, err
	})
	return s, err
}

// put is all with one of somebody's more, or with it in the place of the one that is the same.
func put(all []Saved, s Saved) ([]Saved, string, error) {
	have := 0
	for i := range all {
		old := &all[i]
		if !old.of(s.Owner, s.OwnerID) || old.Kind != s.Kind {
			continue
		}
		have++
		if s.Kind != SavedLink && old.Name == s.Name || s.Kind == SavedLink && old.Path == s.Path {
			s.ID = old.ID
			all[i] = s
			return all, s.ID, nil
		}
	}
	if have >= mostOf[s.Kind] {
		return nil, "", &SavedError{fmt.Sprintf("you have %d: remove some", have)}
	}
	s.ID = random(savedIDBytes)
	return append(all, s), s.ID, nil
}

// List puts one more signature into an owner's list of a name, and makes the list where there is
// none.
func (k *Keep) List(owner, ownerID, name, signature string) error {
	one := Saved{Owner: owner, OwnerID: ownerID, Kind: SavedList, Name: name, At: k.now().UTC().Truncate(time.Second)}
	return k.file.Change(func(all []Saved) ([]Saved, error) {
		if i := slices.IndexFunc(all, func(s Saved) bool { return s.Kind == SavedList && s.Name == name && s.of(owner, ownerID) }); i >= 0 {
			one.Signatures = slices.Clone(all[i].Signatures)
		}
		if !slices.Contains(one.Signatures, signature) {
			one.Signatures = append(one.Signatures, signature)
		}
		if err := one.check(); err != nil {
			return nil, err
		}
		all, _, err := put(all, one)
		return all, err
	})
}

// Remove takes something of an owner away.
func (k *Keep) Remove(owner, ownerID, id string) error {
	return k.file.Change(func(all []Saved) ([]Saved, error) {
		left := slices.DeleteFunc(slices.Clone(all), func(s Saved) bool { return s.ID == id && s.of(owner, ownerID) })
		if len(left) == len(all) {
			return nil, ErrNotSaved
		}
		return left, nil
	})
}
