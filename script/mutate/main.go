// Command mutate shows whether tests can fail: it changes a package's code in one
// place, runs its tests, and takes the next place. What they do not notice is printed.
// Generated files, tables of numbers, are left out.
// Behind a colon stand further packages whose tests are the package's, too.
//
//	go run ./script/mutate -n 20 -seed 1 collector redact stackwalk:stackwalk/report
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// mutant is one change: apply makes it in the tree, whose file is then printed.
type mutant struct {
	at    token.Pos
	what  string
	apply func()
}

func main() {
	n := flag.Int("n", 10, "mutants of each package")
	seed := flag.Uint64("seed", 1, "which ones")
	flag.Parse()
	for _, arg := range flag.Args() {
		pkg, more, _ := strings.Cut(arg, ":")
		if err := sample(pkg, append([]string{pkg}, strings.FieldsFunc(more, func(r rune) bool { return r == ',' })...), *n, *seed); err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(1)
		}
	}
}

// A mutant that takes patience times as long as the code as it is, and a while more, does
// not end.
const (
	patience = 3
	aWhile   = 20 * time.Second
)

func sample(pkg string, tests []string, n int, seed uint64) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	began := time.Now()
	if noticed, builds, err := try(dir, tests, "", nil, time.Hour); err != nil {
		return fmt.Errorf("%s: %w", pkg, err)
	} else if noticed || !builds {
		return fmt.Errorf("%s: the tests fail without any change", pkg)
	}
	timeout := patience*time.Since(began) + aWhile
	names, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		return err
	}
	type place struct {
		name string
		i    int
	}
	var all []place
	for _, name := range names {
		if _, file, found, err := mutants(name); err != nil {
			return err
		} else if !strings.HasSuffix(name, "_test.go") && !ast.IsGenerated(file) {
			for i := range found {
				all = append(all, place{name, i})
			}
		}
	}
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // the same for the same seed
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	killed, survived, broken := 0, 0, 0
	for _, p := range all {
		if killed+survived == n {
			break
		}
		fset, file, found, err := mutants(p.name) // anew: the one before has changed its tree
		if err != nil {
			return err
		}
		m := found[p.i]
		m.apply()
		var text bytes.Buffer
		if err := format.Node(&text, fset, file); err != nil {
			return err
		}
		switch noticed, builds, err := try(dir, tests, p.name, text.Bytes(), timeout); {
		case err != nil:
			return err
		case !builds:
			broken++
		case noticed:
			killed++
		default:
			survived++
			fmt.Printf("%s: %s survives\n", fset.Position(m.at), m.what)
		}
	}
	fmt.Printf("%s: %d of %d killed (%d places, %d drawn did not compile)\n", pkg, killed, killed+survived, len(all), broken)
	return nil
}

// try runs the tests of packages with a file of another text; an empty name changes none.
// Nothing is written into the tree.
func try(dir string, tests []string, name string, text []byte, timeout time.Duration) (noticed, builds bool, err error) {
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	replaced := map[string]string{}
	if name != "" {
		full, err := filepath.Abs(name)
		if err != nil {
			return false, false, err
		}
		replaced[full] = changed
	}
	table, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		return false, false, err
	}
	for path, content := range map[string][]byte{changed: text, overlay: table} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return false, false, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for _, pkg := range tests {
		binary := filepath.Join(dir, "test")
		build := exec.CommandContext(context.Background(), "go", "test", "-c", "-overlay", overlay, "-o", binary, "./"+pkg) //nolint:gosec // a package that whoever runs this names
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if build.Run() != nil {
			return false, false, nil // an unused variable, or what no value has
		}
		run := exec.CommandContext(ctx, binary, "-test.short", "-test.failfast") //nolint:gosec // what was built just now
		run.Dir = pkg
		if run.Run() != nil {
			return true, true, nil
		}
	}
	return false, true, nil
}

// other is what an operator becomes.
var other = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR, token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.LAND: token.LOR, token.LOR: token.LAND,
}

// mutants are all changes that a file has room for.
func mutants(name string) (*token.FileSet, *ast.File, []mutant, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
	if err != nil {
		return nil, nil, nil, err
	}
	var out []mutant
	add := func(at token.Pos, what string, apply func()) { out = append(out, mutant{at, what, apply}) }
	ast.Inspect(file, func(node ast.Node) bool {
		switch x := node.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BinaryExpr:
			if to, ok := other[x.Op]; ok {
				add(x.OpPos, fmt.Sprintf("%s for %s", to, x.Op), func() { x.Op = to })
			}
		case *ast.IfStmt:
			add(x.Cond.Pos(), "the contrary", func() { x.Cond = &ast.UnaryExpr{Op: token.NOT, X: &ast.ParenExpr{X: x.Cond}} })
		case *ast.BasicLit:
			if v, err := strconv.ParseInt(x.Value, 0, 62); x.Kind == token.INT && err == nil {
				add(x.Pos(), fmt.Sprintf("%d for %d", v+1, v), func() { x.Value = strconv.FormatInt(v+1, 10) })
			}
		case *ast.BlockStmt:
			for i, s := range x.List {
				switch s.(type) {
				case *ast.ExprStmt, *ast.IncDecStmt, *ast.AssignStmt, *ast.BranchStmt:
					add(s.Pos(), "a statement less", func() { x.List[i] = &ast.EmptyStmt{Implicit: true} })
				}
			}
		case *ast.ReturnStmt:
			for i, v := range x.Results {
				if id, ok := v.(*ast.Ident); ok && (id.Name == "true" || id.Name == "false") {
					to := map[string]string{"true": "false", "false": "true"}[id.Name]
					add(v.Pos(), to+" returned", func() { x.Results[i] = ast.NewIdent(to) })
				} else if ok && id.Name != "nil" {
					add(v.Pos(), "nothing returned", func() { x.Results[i] = ast.NewIdent("nil") })
				}
			}
		}
		return true
	})
	return fset, file, out, nil
}
