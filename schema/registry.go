package schema

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed annotations.yaml
var annotationsYAML []byte

// Class says who may see a value.
type Class string

// Classes of annotations. An annotation that the registry lacks is protected.
const (
	ClassPublic     Class = "public"
	ClassProtected  Class = "protected"
	ClassNeverStore Class = "never-store"
)

// AnnotationInfo is the registry's entry of one annotation.
type AnnotationInfo struct {
	Name  string    `yaml:"name" json:"name"`
	Type  ValueType `yaml:"type" json:"type"`
	Class Class     `yaml:"class" json:"class"`
	Means string    `yaml:"means" json:"means,omitempty"`
	// Column is the column of its own that it has in ClickHouse's tables; empty for none.
	Column      string `yaml:"column" json:"column,omitempty"`
	Description string `yaml:"description" json:"description"`
}

// Registry knows the annotations. It is immutable and safe for concurrent use.
type Registry struct {
	byName map[string]AnnotationInfo
	never  map[string]bool // folded names of what is never stored
	order  []string
	files  []RulesetFile // its text: annotations.yaml, and what was added to it
	hash   string
	names  *names // what replaces shapes; nil for none
}

// Files that a registry is made of: one, then those that add to it or override it, then
// names.
const (
	fileAnnotations = "annotations.yaml"
	fileAdded       = "annotations-%d.yaml"
	fileNames       = "names.yaml"
)

// maxAdded bounds the files that are added.
const maxAdded = 16

// Fields that an annotation can mean, whatever the client calls it.
const (
	MeansProduct     = "product"
	MeansVersion     = "version"
	MeansChannel     = "channel"
	MeansBuildID     = "build_id"
	MeansProcessType = "process_type"
)

// DefaultRegistry is the registry that ships with this build (annotations.yaml). A
// program may add names to it before it does anything else.
var DefaultRegistry = mustRegistry(annotationsYAML)

// Columns are the entries of the registry that ships with this build which have a column of
// their own, in its order, whatever was added since. The caller must not change it.
func Columns() []AnnotationInfo { return columns() }

var columns = sync.OnceValue(func() (out []AnnotationInfo) {
	r := mustRegistry(annotationsYAML)
	for _, name := range r.order {
		if e := r.byName[name]; e.Column != "" {
			out = append(out, e)
		}
	}
	return out
})

func mustRegistry(text []byte) *Registry {
	r, err := ParseRegistry(text)
	if err != nil {
		panic(err) // embedded data: a test parses it
	}
	return r
}

// ParseRegistry reads a registry in the form of annotations.yaml. It refuses
// unknown keys, classes and types, a name given twice, and free text made public.
func ParseRegistry(text []byte) (*Registry, error) {
	r := &Registry{byName: map[string]AnnotationInfo{}}
	if err := r.add(text, false); err != nil {
		return nil, err
	}
	r.extend(fileAnnotations, text)
	return r, nil
}

// With is the registry with the entries of another file, which add to it or take the place
// of those of the same name.
func (r *Registry) With(text []byte) (*Registry, error) {
	if r.names != nil {
		return nil, fmt.Errorf("annotation registry: names are added last")
	}
	if len(r.files) > maxAdded {
		return nil, fmt.Errorf("annotation registry: more than %d files are added", maxAdded)
	}
	out := r.clone()
	if err := out.add(text, true); err != nil {
		return nil, err
	}
	out.extend(fmt.Sprintf(fileAdded, len(out.files)+1), text)
	return out, nil
}

// RegistryFromFiles reads what Files has given.
func RegistryFromFiles(files []RulesetFile) (r *Registry, err error) {
	if len(files) == 0 || len(files) > maxAdded+2 {
		return nil, fmt.Errorf("annotation registry: %d files", len(files))
	}
	for i, f := range files {
		switch {
		case i == 0:
			r, err = ParseRegistry([]byte(f.Text))
		case f.Name == fileNames:
			r, err = r.WithNames([]byte(f.Text))
		default:
			r, err = r.With([]byte(f.Text))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return r, nil
}

// Over is what this registry says, and of annotations that it does not know what another one
// says: of what was public by that one and is not by this, nothing is shown.
func (r *Registry) Over(of *Registry) *Registry {
	if r.hash == of.hash {
		return r
	}
	out := of.clone()
	for name, e := range r.byName {
		if _, there := out.byName[name]; !there {
			out.order = append(out.order, name)
		}
		out.byName[name] = e
	}
	slices.Sort(out.order[len(of.order):])
	out.never = maps.Clone(of.never)
	maps.Copy(out.never, r.never)
	if r.names != nil {
		out.names = r.names
	}
	return out
}

// Change is how an entry differs between two registries; nil where it is in one alone.
type Change struct {
	Name string          `json:"name"`
	Was  *AnnotationInfo `json:"was,omitempty"`
	Is   *AnnotationInfo `json:"is,omitempty"`
}

// Changes are the entries that differ from another registry's in class, type or meaning, by
// name.
func (r *Registry) Changes(from *Registry) (out []Change) {
	same := func(a, b AnnotationInfo) bool {
		a.Description, b.Description = "", ""
		a.Column, b.Column = "", ""
		return a == b
	}
	for _, name := range slices.Sorted(maps.Keys(r.byName)) {
		is := r.byName[name]
		was, there := from.byName[name]
		switch {
		case !there:
			out = append(out, Change{Name: name, Is: &is})
		case !same(was, is):
			out = append(out, Change{Name: name, Was: &was, Is: &is})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from.byName)) {
		if _, there := r.byName[name]; !there {
			was := from.byName[name]
			out = append(out, Change{Name: name, Was: &was})
		}
	}
	return out
}

// Files are the registry's text: what RegistryFromFiles reads. The caller must not change it.
func (r *Registry) Files() []RulesetFile { return r.files }

func (r *Registry) clone() *Registry {
	out := *r
	out.byName, out.order, out.files = maps.Clone(r.byName), slices.Clone(r.order), slices.Clone(r.files)
	return &out
}

// extend takes a file into the registry's text and hash.
func (r *Registry) extend(name string, text []byte) {
	r.files = append(r.files, RulesetFile{Name: name, Text: string(text)})
	var all []string
	for _, f := range r.files {
		all = append(all, f.Text)
	}
	r.hash = hashOf([]byte(strings.Join(all, "\n---\n")))
}

// add reads entries. Those of one file stand once; override lets them take the place of
// those that are there.
func (r *Registry) add(text []byte, override bool) error {
	var entries []AnnotationInfo
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&entries); err != nil {
		return fmt.Errorf("annotation registry: %w", err)
	}
	here := map[string]bool{}
	for i, e := range entries {
		if err := e.check(); err != nil {
			return fmt.Errorf("annotation registry: entry %d (%q): %w", i, e.Name, err)
		}
		if e.Column != "" && override {
			return fmt.Errorf("annotation registry: entry %d (%q): columns are those that the release ships with", i, e.Name)
		}
		_, there := r.byName[e.Name]
		if here[e.Name] || there && !override {
			return fmt.Errorf("annotation registry: entry %d: %q stands twice", i, e.Name)
		}
		here[e.Name] = true
		r.byName[e.Name] = e
		if !there {
			r.order = append(r.order, e.Name)
		}
	}
	r.never = map[string]bool{}
	for _, e := range r.byName {
		if e.Class == ClassNeverStore {
			r.never[fold(e.Name)] = true
		}
	}
	for _, name := range r.order {
		if r.byName[name].Class != ClassNeverStore && r.never[fold(name)] {
			return fmt.Errorf("annotation registry: %q is never stored by another spelling of its name", name)
		}
	}
	return nil
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// unjoined takes hyphens and underscores out.
var unjoined = strings.NewReplacer("-", "", "_", "")

// fold is a name without case, hyphens and underscores.
func fold(name string) string { return strings.ToLower(unjoined.Replace(name)) }

func (e AnnotationInfo) check() error {
	switch e.Class {
	case ClassPublic, ClassProtected, ClassNeverStore:
	default:
		return fmt.Errorf("unknown class %q", e.Class)
	}
	if valueTypes[e.Type] == nil {
		return fmt.Errorf("unknown type %q", e.Type)
	}
	switch e.Means {
	case "", MeansProduct, MeansVersion, MeansChannel, MeansBuildID, MeansProcessType:
	default:
		return fmt.Errorf("unknown meaning %q", e.Means)
	}
	switch {
	case e.Name == "" || e.Description == "":
		return fmt.Errorf("name and description are needed")
	case e.Class == ClassPublic && e.Type == TypeText:
		return fmt.Errorf("free text cannot be public: give it a type that says what it may hold")
	case e.Means != "" && e.Class != ClassPublic:
		return fmt.Errorf("only a public annotation can mean a public field")
	}
	return nil
}

// Hash is the SHA-256 of the registry's text, with what was added to it, hexadecimal: a signature version names it.
func (r *Registry) Hash() string { return r.hash }

// Names lists the annotations in the order of the registry. The caller must not change it.
func (r *Registry) Names() []string { return r.order }

// Lookup returns the entry of that name; an unknown annotation is protected text.
// What is never stored is so in every spelling: case, hyphens and underscores make
// no difference. What is public is so by its exact name alone.
func (r *Registry) Lookup(name string) AnnotationInfo {
	if e, ok := r.byName[name]; ok {
		return e
	}
	if r.never[fold(name)] {
		return AnnotationInfo{Name: name, Type: TypeText, Class: ClassNeverStore}
	}
	return AnnotationInfo{Name: name, Type: TypeText, Class: ClassProtected}
}

// Public tells whether this very value may be shown to anybody: the annotation
// is public and the value has the shape of its type, or is one of the names that
// replace it.
func (r *Registry) Public(name, value string) bool {
	e := r.Lookup(name)
	if e.Class != ClassPublic {
		return false
	}
	if list := r.names.of(e.Means); list != nil {
		return list[value]
	}
	return e.Type.Holds(value)
}

// Meanings are what the public ones of a crash's annotations mean, by Means constant;
// where several mean the same, the first of the registry counts.
func (r *Registry) Meanings(annotations []Annotation) map[string]string {
	return r.MeaningsOf(r.PublicOf(annotations))
}

// PublicOf are the public ones of a crash's annotations.
func (r *Registry) PublicOf(annotations []Annotation) (public []PublicAnnotation) {
	for _, a := range annotations {
		if a.Public && r.Public(a.Name, a.Value) {
			public = append(public, PublicAnnotation{Name: a.Name, Value: a.Value})
		}
	}
	return public
}

// MeaningsOf is Meanings of what PublicOf returned.
func (r *Registry) MeaningsOf(public []PublicAnnotation) map[string]string {
	values := make(map[string]string, len(public))
	for _, a := range public {
		values[a.Name] = a.Value
	}
	means := map[string]string{}
	for _, name := range r.order {
		meaning := r.byName[name].Means
		if value := values[name]; meaning != "" && value != "" && means[meaning] == "" {
			means[meaning] = value
		}
	}
	return means
}
