package symbolcache

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// NewS3 is the source of objects at s3://bucket/prefix/<path>. Parameters of the
// URL:
//
//	endpoint   a server's http or https URL; Amazon's without it
//	region     else that of AWS_REGION; unknown, Amazon is asked for it
//	anonymous  "true": requests are not signed
//
// Credentials come from the environment: AWS_ACCESS_KEY_ID and its companions,
// MINIO_ACCESS_KEY, the file that AWS_SHARED_CREDENTIALS_FILE names, or the role
// of a pod or task whose variables are set. Without any, requests are anonymous.
func NewS3(name string) (Source, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("symbol source: %w", err)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("symbol source %s: want s3://bucket/prefix", name)
	}
	q := u.Query()
	for parameter := range q {
		switch parameter {
		case "endpoint", "region", "anonymous":
		default:
			return nil, fmt.Errorf("symbol source %s: unknown parameter %q", name, parameter)
		}
	}
	endpoint := "https://s3.amazonaws.com"
	if q.Has("endpoint") {
		endpoint = q.Get("endpoint")
	}
	server, err := url.Parse(endpoint)
	if err != nil || server.Host == "" || server.Scheme != "http" && server.Scheme != "https" {
		return nil, fmt.Errorf("symbol source %s: endpoint %q: want an http or https URL", name, endpoint)
	}
	region := q.Get("region")
	if region == "" {
		region = os.Getenv("AWS_REGION")
	}
	if region == "" && q.Has("endpoint") {
		region = "us-east-1" // what servers that have no regions expect
	}
	core, err := minio.NewCore(server.Host, &minio.Options{
		Creds: s3Credentials(q.Get("anonymous") == "true"), Secure: server.Scheme == "https", Region: region,
		Transport: newTransport(), MaxRetries: 1, // load tries again
	})
	if err != nil {
		return nil, fmt.Errorf("symbol source %s: %w", name, err)
	}
	core.SetAppInfo(userAgent, "")
	return &s3Source{
		core: core, bucket: u.Host, prefix: strings.Trim(u.Path, "/"), slots: make(chan struct{}, maxPerSource),
		name: fmt.Sprintf("s3 %s %s %s", endpoint, u.Host, strings.Trim(u.Path, "/")),
	}, nil
}

// s3Credentials asks the machine's metadata server only where variables say that
// there is one: elsewhere every first request would wait for it.
func s3Credentials(anonymous bool) *credentials.Credentials {
	if anonymous {
		return credentials.NewStatic("", "", "", credentials.SignatureAnonymous)
	}
	chain := []credentials.Provider{&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentials.FileAWSCredentials{}}
	for _, variable := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(variable) != "" {
			return credentials.NewChainCredentials(append(chain, &credentials.IAM{}))
		}
	}
	return credentials.NewChainCredentials(chain)
}

type s3Source struct {
	core                 *minio.Core
	bucket, prefix, name string
	slots                chan struct{}
}

func (s *s3Source) Name() string { return s.name }

func (s *s3Source) Open(ctx context.Context, path string) (Body, error) {
	ctx, body, err := acquire(ctx, s.slots)
	if err != nil {
		return Body{}, err
	}
	key := strings.TrimPrefix(s.prefix+"/"+path, "/")
	object, info, _, err := s.core.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		body.Close() //nolint:errcheck,gosec // gives the slot back
		return Body{}, s3Error(err)
	}
	body.src = object
	return Body{ReadCloser: body, Bytes: info.Size, Remote: true}, nil
}

func s3Error(err error) error {
	res := minio.ToErrorResponse(err)
	switch {
	case res.StatusCode == 0:
		return transportError(err)
	case res.StatusCode == http.StatusNotFound && res.Code != minio.NoSuchKey && res.Code != "NotFound":
		return fmt.Errorf("symbol source: %w", err) // no such bucket is no missing file
	}
	return fmt.Errorf("%w: %s", statusError(res.StatusCode), res.Code)
}
