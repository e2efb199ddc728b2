package clickhouse

import (
	"slices"
	"strconv"
	"strings"

	"aftershock/schema"
)

// annotationColumns are the annotations of a class that have a column of their own, by the
// registry that ships with this build, typed as it says. What has not its type is NULL.
func annotationColumns(class schema.Class) (out []column) {
	for _, e := range schema.Columns() {
		if e.Class != class {
			continue
		}
		value := publicAnnotation
		if class != schema.ClassPublic {
			value = anyAnnotation
		}
		out = append(out, column{e.Column, annotationColumn(e, value)})
	}
	return out
}

// annotationColumn has the values of an annotation, nil where the crash has none.
func annotationColumn(e schema.AnnotationInfo, value func(r *row, name string) *string) func() values {
	switch e.Type {
	case schema.TypeInteger:
		return optional(int64s, func(r *row) *int64 {
			if text := value(r, e.Name); text != nil {
				if n, err := strconv.ParseInt(*text, 10, 64); err == nil {
					return &n
				}
			}
			return nil
		})
	case schema.TypeDecimal:
		return optional(float64s, func(r *row) *float64 {
			if text := value(r, e.Name); text != nil {
				if x, err := strconv.ParseFloat(*text, 64); err == nil {
					return &x
				}
			}
			return nil
		})
	case schema.TypeBoolean:
		return optional(bools, func(r *row) *bool {
			if text := value(r, e.Name); text != nil && schema.TypeBoolean.Holds(*text) {
				return truth[*text == "1" || *text == "true"]
			}
			return nil
		})
	case schema.TypeText:
		return optional(text, func(r *row) *string { return value(r, e.Name) })
	default:
		return optionalWord(func(r *row) *string { return value(r, e.Name) })
	}
}

var truth = map[bool]*bool{true: new(true), false: new(false)}

// publicAnnotation is an annotation of the public view, which has them by name; nil for none
// and for an empty one.
func publicAnnotation(r *row, name string) *string {
	i, ok := slices.BinarySearchFunc(r.pub.Annotations, name, func(a schema.PublicAnnotation, name string) int { return strings.Compare(a.Name, name) })
	if !ok || r.pub.Annotations[i].Value == "" {
		return nil
	}
	return &r.pub.Annotations[i].Value
}

// anyAnnotation is publicAnnotation of all that the crash has.
func anyAnnotation(r *row, name string) *string {
	i, ok := slices.BinarySearchFunc(r.p.Annotations, name, func(a schema.Annotation, name string) int { return strings.Compare(a.Name, name) })
	if !ok || r.p.Annotations[i].Value == "" {
		return nil
	}
	return &r.p.Annotations[i].Value
}
