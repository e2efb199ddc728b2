package schema

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"strings"

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
	Name        string    `yaml:"name"`
	Type        ValueType `yaml:"type"`
	Class       Class     `yaml:"class"`
	Means       string    `yaml:"means"`
	Description string    `yaml:"description"`
}

// Registry knows the annotations. It is immutable and safe for concurrent use.
type Registry struct {
	byName map[string]AnnotationInfo
	never  map[string]bool // folded names of what is never stored
	order  []string
	text   []byte
	hash   string
	names  *names // what replaces shapes; nil for none
}

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
	var entries []AnnotationInfo
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&entries); err != nil {
		return nil, fmt.Errorf("annotation registry: %w", err)
	}
	r := &Registry{byName: make(map[string]AnnotationInfo, len(entries)), never: map[string]bool{}, text: text, hash: hashOf(text)}
	for i, e := range entries {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("annotation registry: entry %d (%q): %w", i, e.Name, err)
		}
		if _, ok := r.byName[e.Name]; ok {
			return nil, fmt.Errorf("annotation registry: entry %d: %q stands twice", i, e.Name)
		}
		r.byName[e.Name] = e
		r.order = append(r.order, e.Name)
		if e.Class == ClassNeverStore {
			r.never[fold(e.Name)] = true
		}
	}
	for _, e := range entries {
		if e.Class != ClassNeverStore && r.never[fold(e.Name)] {
			return nil, fmt.Errorf("annotation registry: %q is never stored by another spelling of its name", e.Name)
		}
	}
	return r, nil
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// fold is a name without case, hyphens and underscores.
func fold(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
}

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

// Hash is the SHA-256 of the registry's text, and of the names that were added to
// it, hexadecimal: a signature version names it.
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
