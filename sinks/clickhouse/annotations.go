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

func annotationColumn(e schema.AnnotationInfo, value func(r *row, name string) (string, bool)) func() values {
	switch e.Type {
	case schema.TypeInteger:
		return optional(int64s, func(r *row) *int64 {
			if text, ok := value(r, e.Name); ok {
				if n, err := strconv.ParseInt(text, 10, 64); err == nil {
					return &n
				}
			}
			return nil
		})
	case schema.TypeDecimal:
		return optional(float64s, func(r *row) *float64 {
			if text, ok := value(r, e.Name); ok {
				if x, err := strconv.ParseFloat(text, 64); err == nil {
					return &x
				}
			}
			return nil
		})
	case schema.TypeBoolean:
		return optional(bools, func(r *row) *bool {
			if text, ok := value(r, e.Name); ok && schema.TypeBoolean.Holds(text) {
				return new(text == "1" || text == "true")
			}
			return nil
		})
	case schema.TypeText:
		return optional(text, func(r *row) *string { return textOf(r, e.Name, value) })
	default:
		return optionalWord(func(r *row) *string { return textOf(r, e.Name, value) })
	}
}

func textOf(r *row, name string, value func(r *row, name string) (string, bool)) *string {
	if text, ok := value(r, name); ok && text != "" {
		return &text
	}
	return nil
}

// publicAnnotation is an annotation of the public view, which has them by name.
func publicAnnotation(r *row, name string) (string, bool) {
	i, ok := slices.BinarySearchFunc(r.pub.Annotations, name, func(a schema.PublicAnnotation, name string) int { return strings.Compare(a.Name, name) })
	if !ok {
		return "", false
	}
	return r.pub.Annotations[i].Value, true
}

// anyAnnotation is an annotation of the crash, which has them by name.
func anyAnnotation(r *row, name string) (string, bool) {
	i, ok := slices.BinarySearchFunc(r.p.Annotations, name, func(a schema.Annotation, name string) int { return strings.Compare(a.Name, name) })
	if !ok {
		return "", false
	}
	return r.p.Annotations[i].Value, true
}
