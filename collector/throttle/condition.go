package throttle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/ext"
)

// Names that a condition knows.
const (
	nameAnnotation  = "annotation"
	nameDumpPresent = "dump.present"
	nameDumpSize    = "dump.size"
	nameDumpKind    = "dump.kind"
	nameNow         = "now"
)

// environment is what conditions are written in: CEL, with an annotation that is not there
// read as "", has(annotation.X) to tell, and functions for build ids and for annotations
// that hold JSON.
func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable(nameAnnotation, cel.MapType(cel.StringType, cel.StringType)),
		cel.Variable(nameDumpPresent, cel.BoolType),
		cel.Variable(nameDumpSize, cel.IntType),
		cel.Variable(nameDumpKind, cel.StringType),
		cel.Variable(nameNow, cel.TimestampType),
		cel.Function("date", cel.Overload("date_string", []*cel.Type{cel.StringType}, cel.TimestampType, cel.UnaryBinding(date))),
		cel.Function("json", cel.Overload("json_string", []*cel.Type{cel.StringType}, cel.DynType, cel.UnaryBinding(document))),
		cel.ClearMacros(), // those of the libraries behind it stay
		cel.Macros(hasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro, cel.MapMacro, cel.MapFilterMacro, cel.FilterMacro),
		ext.Strings(ext.StringsVersion(4)), ext.Bindings(),
	)
}

// hasMacro makes has(m.f) of "f" in m: the usual one asks for the value, which annotations
// always have.
var hasMacro = cel.GlobalMacro(operators.Has, 1, func(f cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	if args[0].Kind() != ast.SelectKind {
		return nil, f.NewError(args[0].ID(), "has wants a field, such as has(annotation.Comments)")
	}
	s := args[0].AsSelect()
	return f.NewCall(operators.In, f.NewLiteral(types.String(s.FieldName())), s.Operand()), nil
})

// compile makes a program of a condition.
func compile(env *cel.Env, text string) (cel.Program, error) {
	tree, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, errors.New(strings.ReplaceAll(err.Error(), "<input>:", ""))
	}
	if t := tree.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("it is %s, want true or false", t)
	}
	options := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if loops(tree) {
		options = append(options, cel.CostLimit(maxCost))
	}
	return env.Program(tree, options...)
}

// maxCost is what a condition with a loop may cost, in CEL's own measure: a sender decides
// how many annotations there are.
const maxCost = 1_000_000

// loops tells whether a condition has a loop, as exists and all are.
func loops(tree *cel.Ast) bool {
	found := false
	ast.PostOrderVisit(tree.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		// cel.bind is made of an empty one.
		if e.Kind() == ast.ComprehensionKind && (e.AsComprehension().IterRange().Kind() != ast.ListKind || e.AsComprehension().IterRange().AsList().Size() > 0) {
			found = true
		}
	}))
	return found
}

// date is midnight of the date that a build id begins with.
func date(v ref.Val) ref.Val {
	s := string(v.(types.String)) //nolint:forcetypeassert // the checker has looked
	if len(s) < 8 {
		return types.NewErr("no date")
	}
	t, err := time.Parse("20060102", s[:8])
	if err != nil {
		return types.NewErr("no date")
	}
	return types.Timestamp{Time: t}
}

// document is what a JSON text holds: whole numbers are ints.
func document(v ref.Val) ref.Val {
	d := json.NewDecoder(strings.NewReader(string(v.(types.String)))) //nolint:forcetypeassert // the checker has looked
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil {
		return types.NewErr("no JSON") // an error's text would quote the report's
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return types.NewErr("no JSON")
	}
	return types.DefaultTypeAdapter.NativeToValue(numbers(doc))
}

// numbers turns the numbers of a document into those of CEL.
func numbers(doc any) any {
	switch x := doc.(type) {
	case json.Number:
		if n, err := x.Int64(); err == nil {
			return n
		}
		if n, err := x.Float64(); err == nil {
			return n
		}
		return x.String()
	case []any:
		for i := range x {
			x[i] = numbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = numbers(x[k])
		}
	}
	return doc
}

// maxSeenBytes of an annotation's value are seen by conditions: a pattern takes time in
// proportion to what it looks at.
const maxSeenBytes = 256 << 10

// seen is a report as conditions see it.
type seen struct {
	annotations
	dump Dump
	now  time.Time
}

func newSeen(rep Report) *seen {
	return &seen{annotations{types.NewStringStringMap(types.DefaultTypeAdapter, rep.Annotations), rep.Annotations}, rep.Dump, rep.Received}
}

// annotations is a map whose missing members are "".
type annotations struct {
	traits.Mapper
	values map[string]string
}

// Find never finds nothing.
func (a annotations) Find(key ref.Val) (ref.Val, bool) { return a.Get(key), true }

// Get is the value, clipped.
func (a annotations) Get(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.NewErr("annotations have names")
	}
	v := a.values[string(name)]
	return types.String(v[:min(len(v), maxSeenBytes)])
}

// ResolveName is a variable's value.
func (s *seen) ResolveName(name string) (any, bool) {
	switch name {
	case nameAnnotation:
		return s.annotations, true
	case nameDumpPresent:
		return types.Bool(s.dump.Present), true
	case nameDumpSize:
		return types.Int(s.dump.Size), true
	case nameDumpKind:
		return types.String(s.dump.Kind), true
	case nameNow:
		return types.Timestamp{Time: s.now}, true
	}
	return nil, false
}

// Parent is none.
func (s *seen) Parent() cel.Activation { return nil }
