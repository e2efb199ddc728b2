package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"aftershock/internal/bucket"
)

// Errors of Files.
var (
	ErrNotFound = errors.New("no such file")
	ErrTooLarge = errors.New("too large")
)

// File is one of an archive.
type File struct {
	Path     string // below the root, with slashes
	Size     int64
	Modified time.Time
}

// Files are an archive's, in a directory or a bucket. They are safe for concurrent use.
type Files interface {
	// List hands every file below a folder to each, sorted by path, until it fails; none
	// when there is no such folder.
	List(ctx context.Context, folder string, each func(File) error) error
	// Read returns a file; errors wrap ErrNotFound and ErrTooLarge.
	Read(ctx context.Context, path string, maxBytes int64) ([]byte, error)
}

// OpenFiles opens a directory, or s3://bucket/prefix with the parameters of bucket.Open.
func OpenFiles(name string) (Files, error) {
	if strings.HasPrefix(name, "s3://") {
		b, err := bucket.Open(name, bucket.Options{Tries: bucketTries})
		if err != nil {
			return nil, err
		}
		return &objects{b}, nil
	}
	info, err := os.Stat(name)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no directory", name)
	}
	return directory(name), err
}

const bucketTries = 5

// directory is one on the disk. Links are not followed.
type directory string

// List walks it.
func (d directory) List(ctx context.Context, folder string, each func(File) error) error {
	root := filepath.Join(string(d), filepath.FromSlash(folder))
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		} else if err != nil {
			return err
		}
		below, err := filepath.Rel(string(d), path)
		if err != nil {
			return err
		}
		return each(File{filepath.ToSlash(below), info.Size(), info.ModTime()})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Read reads a file of it.
func (d directory) Read(_ context.Context, path string, maxBytes int64) ([]byte, error) {
	f, err := os.OpenInRoot(string(d), filepath.FromSlash(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNotFound)
	} else if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return readAll(f, path, maxBytes)
}

func readAll(r io.Reader, path string, maxBytes int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err == nil && int64(len(data)) > maxBytes {
		err = fmt.Errorf("%s: %w", path, ErrTooLarge)
	}
	return data, err
}

// objects are those of a bucket.
type objects struct{ in *bucket.Bucket }

// List lists them; S3 sorts keys.
func (o *objects) List(ctx context.Context, folder string, each func(File) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	prefix := o.in.Key(folder)
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	for found := range o.in.Core.ListObjectsIter(ctx, o.in.Name, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if found.Err != nil {
			return fmt.Errorf("list %s/%s: %w", o.in, folder, found.Err)
		}
		if err := each(File{strings.TrimPrefix(found.Key, o.in.Key("")), found.Size, found.LastModified}); err != nil {
			return err
		}
	}
	return ctx.Err() // a listing that was cancelled just ends
}

// Read gets one.
func (o *objects) Read(ctx context.Context, path string, maxBytes int64) ([]byte, error) {
	body, _, _, err := o.in.Core.GetObject(ctx, o.in.Name, o.in.Key(path), minio.GetObjectOptions{})
	if err != nil {
		if slices.Contains([]string{"NoSuchKey", "NotFound"}, minio.ToErrorResponse(err).Code) {
			return nil, fmt.Errorf("%s: %w", path, ErrNotFound)
		}
		return nil, fmt.Errorf("%s/%s: %w", o.in, path, err)
	}
	defer body.Close() //nolint:errcheck // read only
	return readAll(body, path, maxBytes)
}
