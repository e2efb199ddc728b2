// Package bucket opens the S3 buckets that s3:// URLs name: Open. What is done
// with objects, and which errors mean what, is its callers'.
package bucket

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// Bucket is a bucket's part below a prefix. It is safe for concurrent use.
type Bucket struct {
	Core *minio.Core
	// Endpoint is the server's URL, without credentials.
	Endpoint string
	Name     string
	// Prefix neither begins nor ends with a slash; it may be empty.
	Prefix string
}

// Options are the caller's way with the server.
type Options struct {
	// Transport is minio-go's own when it is nil.
	Transport http.RoundTripper
	// Tries is how often a request is sent that fails for a passing reason.
	Tries int
}

// Open opens s3://bucket/prefix. It asks the server nothing. Parameters of the URL:
//
//	endpoint   a server's http or https URL; Amazon's without it
//	region     else that of AWS_REGION; unknown, Amazon is asked for it
//	anonymous  "true": requests are not signed
//
// Credentials come from the environment: AWS_ACCESS_KEY_ID and its companions,
// MINIO_ACCESS_KEY, the file that AWS_SHARED_CREDENTIALS_FILE names, or the role
// of a pod or task whose variables are set. Without any, requests are anonymous.
// Errors never repeat a URL that may hold a password.
func Open(name string, o Options) (*Bucket, error) {
	u, err := url.Parse(name)
	if err != nil || u.Scheme != "s3" || u.Host == "" {
		return nil, errors.New("not an S3 URL: want s3://bucket/prefix?endpoint=URL&region=R")
	}
	if u.User != nil {
		return nil, errors.New("an S3 URL with credentials: they belong in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)")
	}
	b := &Bucket{Endpoint: "https://s3.amazonaws.com", Name: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if err := s3utils.CheckValidBucketName(b.Name); err != nil {
		return nil, fmt.Errorf("S3 URL: %w", err)
	}
	q := u.Query()
	for parameter := range q {
		switch parameter {
		case "endpoint", "region", "anonymous":
		default:
			return nil, fmt.Errorf("%s: unknown parameter %q: want endpoint, region or anonymous", b, parameter)
		}
	}
	if q.Has("endpoint") {
		b.Endpoint = q.Get("endpoint")
	}
	server, err := url.Parse(b.Endpoint)
	if err != nil || server.Host == "" || server.User != nil || server.Scheme != "http" && server.Scheme != "https" {
		return nil, fmt.Errorf("%s: endpoint: want http://host:port or https://host:port", b)
	}
	region := q.Get("region")
	if region == "" {
		region = os.Getenv("AWS_REGION")
	}
	if region == "" && q.Has("endpoint") {
		region = "us-east-1" // what servers that have no regions expect
	}
	b.Core, err = minio.NewCore(server.Host, &minio.Options{
		Creds: fromEnvironment(q.Get("anonymous") == "true"), Secure: server.Scheme == "https", Region: region,
		Transport: o.Transport, MaxRetries: o.Tries,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b, err)
	}
	b.Core.SetAppInfo("aftershock", "")
	return b, nil
}

// String is the URL without its parameters.
func (b *Bucket) String() string { return strings.TrimSuffix("s3://"+b.Name+"/"+b.Prefix, "/") }

// Key is the name of the object at a path below the prefix.
func (b *Bucket) Key(path string) string { return strings.TrimPrefix(b.Prefix+"/"+path, "/") }

// fromEnvironment asks the machine's metadata server only where variables say
// that there is one: elsewhere every first request would wait for it.
func fromEnvironment(anonymous bool) *credentials.Credentials {
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
