package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"aftershock/schema"
)

// registryDeadline bounds asking a schema registry for all schemas.
const registryDeadline = 30 * time.Second

// SchemaIDs are the ids that a schema registry has given to the released schemas, by
// built-in id: see schema.UseIDs. With register, those that it lacks are registered,
// which the registry refuses when they do not fit its compatibility mode.
func SchemaIDs(ctx context.Context, registry string, register bool) (map[int]int, error) {
	at, err := url.Parse(registry)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return nil, errors.New("schema registry: want a URL, http:// or https://")
	}
	opts := []sr.ClientOpt{sr.UserAgent(clientID)}
	if password, ok := at.User.Password(); ok {
		opts = append(opts, sr.BasicAuth(at.User.Username(), password))
	}
	at.User = nil // errors quote the URL
	cl, err := sr.NewClient(append(opts, sr.URLs(at.String()))...)
	if err != nil {
		return nil, fmt.Errorf("schema registry %s: %w", at, err)
	}
	ctx, cancel := context.WithTimeout(ctx, registryDeadline)
	defer cancel()
	ids := map[int]int{}
	for _, s := range schema.Schemas() {
		text := sr.Schema{Schema: s.Avsc, Type: sr.TypeAvro}
		found, err := cl.LookupSchema(ctx, s.Subject, text)
		var answer *sr.ResponseError
		switch {
		case err == nil:
		case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound && register:
			found, err = cl.CreateSchema(ctx, s.Subject, text)
		case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
			err = fmt.Errorf("%w (topics create --schema-registry registers it)", err)
		}
		if err != nil {
			return nil, fmt.Errorf("schema registry %s: %s version %d: %w", at, s.Subject, s.Version, err)
		}
		ids[s.ID] = found.ID
	}
	return ids, nil
}
