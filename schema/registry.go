package schema

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

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

// ValueType is the shape that an annotation's value must have to be public.
// Free text is never public.
type ValueType string

// Types of annotation values.
const (
	// TypeToken is a short word: letters, digits and . _ + - : / ( ) and
	// spaces inside, at most MaxTokenBytes bytes.
	TypeToken ValueType = "token"
	// TypeInteger is a decimal 64-bit integer.
	TypeInteger ValueType = "integer"
	// TypeBoolean is 0, 1, true or false.
	TypeBoolean ValueType = "boolean"
	// TypeText is anything.
	TypeText ValueType = "text"
)

// MaxTokenBytes bounds a value of TypeToken.
const MaxTokenBytes = 100

var token = regexp.MustCompile(`^[0-9A-Za-z](?:[0-9A-Za-z._+:()/ -]*[0-9A-Za-z.)+-])?$`)

// Holds tells whether the value is of the type.
func (t ValueType) Holds(value string) bool {
	switch t {
	case TypeToken:
		return len(value) <= MaxTokenBytes && token.MatchString(value)
	case TypeInteger:
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case TypeBoolean:
		return value == "0" || value == "1" || value == "true" || value == "false"
	case TypeText:
		return true
	}
	return false
}

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
	order  []string
	hash   string
}

// Fields that an annotation can mean, whatever the client calls it.
const (
	MeansProduct     = "product"
	MeansVersion     = "version"
	MeansChannel     = "channel"
	MeansBuildID     = "build_id"
	MeansProcessType = "process_type"
)

// DefaultRegistry is the registry that ships with this build (annotations.yaml).
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
	sum := sha256.Sum256(text)
	r := &Registry{byName: make(map[string]AnnotationInfo, len(entries)), hash: hex.EncodeToString(sum[:])}
	for i, e := range entries {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("annotation registry: entry %d (%q): %w", i, e.Name, err)
		}
		if _, ok := r.byName[e.Name]; ok {
			return nil, fmt.Errorf("annotation registry: entry %d: %q stands twice", i, e.Name)
		}
		r.byName[e.Name] = e
		r.order = append(r.order, e.Name)
	}
	return r, nil
}

func (e AnnotationInfo) check() error {
	switch e.Class {
	case ClassPublic, ClassProtected, ClassNeverStore:
	default:
		return fmt.Errorf("unknown class %q", e.Class)
	}
	switch e.Type {
	case TypeToken, TypeInteger, TypeBoolean, TypeText:
	default:
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

// Hash is the SHA-256 of the registry's text, hexadecimal: a signature version names it.
func (r *Registry) Hash() string { return r.hash }

// Names lists the annotations in the order of the registry. The caller must not change it.
func (r *Registry) Names() []string { return r.order }

// Lookup returns the entry of that name; an unknown annotation is protected text.
func (r *Registry) Lookup(name string) AnnotationInfo {
	if e, ok := r.byName[name]; ok {
		return e
	}
	return AnnotationInfo{Name: name, Type: TypeText, Class: ClassProtected}
}

// Public tells whether this very value may be shown to anybody: the annotation
// is public and the value has the shape of its type.
func (r *Registry) Public(name, value string) bool {
	e := r.Lookup(name)
	return e.Class == ClassPublic && e.Type.Holds(value)
}
