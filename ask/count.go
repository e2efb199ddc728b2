package ask

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"aftershock/sinks/clickhouse"
)

// Counted is what a search counts.
type Counted struct {
	Crashes   uint64
	Estimated float64 // how many there were for those that were kept
	Facets    []Facet
}

// Facet is a step's answer: buckets, or a number.
type Facet struct {
	Step    *Step
	Value   uint64  // of a cardinality
	Missing *Bucket // the crashes without a value; only of terms at the top
	Buckets []Bucket
}

// Bucket is crashes with a value in common. A crash with several values is in several.
type Bucket struct {
	Term      json.RawMessage
	Crashes   uint64
	Estimated float64
	Facets    []Facet
}

// maxBuckets of one step, in all.
const maxBuckets = 10_000

// atATime is how many statements of a search run at once: others ask as well.
const atATime = 2

// Count counts the crashes, and what is asked about them.
func (s *Search) Count(ctx context.Context, db *clickhouse.DB) (*Counted, error) {
	steps := s.steps()
	answers := make([][][]json.RawMessage, len(steps)+1)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atATime)
	for i := range answers {
		g.Go(func() error {
			st, err := s.total()
			if i > 0 {
				st, err = s.count(steps[i-1])
			}
			if err != nil {
				return err
			}
			answers[i], err = st.rows(ctx, db)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := &Counted{}
	if len(answers[0]) != 1 {
		return nil, fmt.Errorf("search: %d totals", len(answers[0]))
	}
	out.Crashes, out.Estimated = count(answers[0][0][0]), weight(answers[0][0][1])
	tree := map[*Step]map[string]*Facet{} // by the terms on the way to it
	for i, step := range steps {
		rows := answers[i+1]
		if len(rows) > maxBuckets+1 {
			return nil, refuse("%s: more than %d buckets: ask for a smaller _facets_size, or a wider interval", step.Key(), maxBuckets)
		}
		tree[step] = s.gather(step, rows)
	}
	out.Facets = assemble(s.Facets, tree, "")
	return out, nil
}

// total is the statement that counts the crashes.
func (s *Search) total() (Select, error) {
	b := bound{}
	where, err := s.where(b)
	return Select{"SELECT count() AS crashes, round(sum(1 / throttle_rate)) AS estimated\nFROM " + s.from(b) + "\nWHERE " + where, b}, err
}

// count is the statement of a step.
func (s *Search) count(step *Step) (Select, error) {
	b := bound{}
	where, err := s.where(b)
	if err != nil {
		return Select{}, err
	}
	return Select{s.level(step.path(), where, b), b}, nil
}

// level counts by the last step of a way. The buckets above are those that their own
// statements answer.
func (s *Search) level(path []*Step, where string, b bound) string {
	last := path[len(path)-1]
	var inner, names, there []string
	for i, step := range path {
		if step.Count == Cardinality {
			inner = append(inner, step.Field.value+" AS v"+strconv.Itoa(i))
			continue
		}
		name := "v" + strconv.Itoa(i)
		inner, names = append(inner, step.bucket(b)+" AS "+name), append(names, name)
		if i < len(path)-1 || i > 0 || step.Count == Histogram {
			there = append(there, name+" IS NOT NULL")
		}
	}
	from := fmt.Sprintf("(\n  SELECT %s, 1 / throttle_rate AS w\n  FROM %s\n  WHERE %s\n)", strings.Join(inner, ", "), s.from(b), where)
	above := names[:min(len(path)-1, len(names))]
	if len(above) > 0 {
		there = append(there, fmt.Sprintf("(%s) IN (\n  SELECT %s FROM (%s))", strings.Join(above, ", "), strings.Join(above, ", "), s.level(path[:len(path)-1], where, b)))
	}
	filter := ""
	if len(there) > 0 {
		filter = "\nWHERE " + strings.Join(there, " AND ")
	}
	if last.Count == Cardinality {
		value := "v" + strconv.Itoa(len(path)-1)
		f := last.Field
		f.value = value
		if len(names) == 0 {
			return fmt.Sprintf("SELECT %s AS n\nFROM %s%s", f.distinct(), from, filter)
		}
		by := strings.Join(names, ", ")
		return fmt.Sprintf("SELECT %s, %s AS n\nFROM %s%s\nGROUP BY %s\nLIMIT %d", by, f.distinct(), from, filter, by, maxBuckets+2)
	}
	by, name := strings.Join(names, ", "), names[len(names)-1]
	order, most := "isNull("+name+") DESC, count() DESC, "+name, s.FacetSize+1 // the crashes without a value are no bucket
	if len(path) > 1 {
		order, most = "count() DESC, "+name, s.FacetSize
	}
	limit := fmt.Sprintf("\nLIMIT %d", most)
	if len(above) > 0 {
		limit += " BY " + strings.Join(above, ", ") + fmt.Sprintf("\nLIMIT %d", maxBuckets+2)
	}
	if last.Count == Histogram {
		order, limit = name, fmt.Sprintf("\nLIMIT %d", maxBuckets+2)
	}
	return fmt.Sprintf("SELECT %s, count() AS crashes, round(sum(w)) AS estimated\nFROM %s%s\nGROUP BY %s\nORDER BY %s%s", by, from, filter, by, order, limit)
}

// gather makes facets of a step's rows, by the terms above.
func (s *Search) gather(step *Step, rows [][]json.RawMessage) map[string]*Facet {
	out := map[string]*Facet{}
	depth := len(step.path()) - 1
	for _, row := range rows {
		way := terms(row[:depth])
		f := out[way]
		if f == nil {
			f = &Facet{Step: step}
			out[way] = f
		}
		if step.Count == Cardinality {
			f.Value = count(row[depth])
			continue
		}
		bucket := Bucket{Term: row[depth], Crashes: count(row[depth+1]), Estimated: weight(row[depth+2])}
		switch {
		case string(bucket.Term) == "null":
			f.Missing = &bucket
		case step.Count == Histogram || len(f.Buckets) < s.FacetSize:
			f.Buckets = append(f.Buckets, bucket)
		}
	}
	return out
}

// assemble puts facets into the buckets that they are of. One that is not there, because
// crashes came between two statements, is empty.
func assemble(steps []*Step, tree map[*Step]map[string]*Facet, way string) (out []Facet) {
	for _, step := range steps {
		f := Facet{Step: step}
		if have := tree[step][way]; have != nil {
			f = *have
		}
		for i := range f.Buckets {
			f.Buckets[i].Facets = assemble(step.Below, tree, way+terms([]json.RawMessage{f.Buckets[i].Term}))
		}
		out = append(out, f)
	}
	return out
}

// terms are a key: JSON holds no byte 0.
func terms(way []json.RawMessage) string {
	var b strings.Builder
	for _, term := range way {
		b.Write(term)
		b.WriteByte(0)
	}
	return b.String()
}

// count reads a number that may be quoted.
func count(v json.RawMessage) uint64 {
	n, _ := strconv.ParseUint(strings.Trim(string(v), `"`), 10, 64) // count() makes no other
	return n
}

func weight(v json.RawMessage) float64 {
	n, _ := strconv.ParseFloat(strings.Trim(string(v), `"`), 64) // as above; NULL is 0
	return n
}
