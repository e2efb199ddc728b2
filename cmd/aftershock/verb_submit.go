package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"aftershock/archive"
	"aftershock/schema"
)

// submitVerb sends dumps as a crash client does.
type submitVerb struct {
	URL        string            `help:"Where to send: the collector's /submit." default:"http://127.0.0.1:8000/submit"`
	Annotation map[string]string `help:"Annotation of every report. Repeat it." placeholder:"K=V" mapsep:"none"`
	Gzip       bool              `help:"Compress the body."`
	RetryFor   time.Duration     `help:"Send again for so long what got no answer. The collector may have taken it already: then it counts twice, under two ids." default:"0s"`
	Dumps      []string          `arg:"" name:"dump" help:"Minidump files; each is a report of its own. Beside NAME.dmp, NAME.extra, NAME.json and NAME.meta say what is known of it." type:"existingfile"`
}

// maxAnswerBytes is more than a crash id.
const maxAnswerBytes = 4 << 10

// Run prints one crash id a line, in the order of the dumps.
func (v *submitVerb) Run(r *run) error {
	client := &http.Client{Timeout: 2 * time.Minute}
	for _, path := range v.Dumps {
		dump, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		beside, err := besideDump(path)
		if err != nil {
			return err
		}
		id, err := v.send(r, client, filepath.Base(path), dump, beside)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if _, err := fmt.Fprintln(r.stdout, id); err != nil {
			return err
		}
	}
	return nil
}

// send sends one report, again while nobody answers and there is time.
func (v *submitVerb) send(r *run, client *http.Client, name string, dump []byte, beside *archive.Crash) (string, error) {
	body, contentType, err := v.report(name, dump, beside)
	if err != nil {
		return "", err
	}
	for until := time.Now().Add(v.RetryFor); ; {
		id, final, err := v.post(r, client, body, contentType)
		if err == nil || final || !time.Now().Before(until) {
			return id, err
		}
		select {
		case <-r.ctx.Done():
			return "", r.ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// besideDump reads the files beside a dump that say what is known of it.
func besideDump(path string) (*archive.Crash, error) {
	stem, is := strings.CutSuffix(path, ".dmp")
	out := &archive.Crash{}
	for _, end := range archive.SideFiles {
		if !is {
			break
		}
		text, err := readSmall(stem+end, archive.MaxFileBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = out.Beside(end, text)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", stem+end, err)
		}
	}
	return out, nil
}

// report is the multipart body. What the flags say counts before what lies beside the dump.
func (v *submitVerb) report(name string, dump []byte, beside *archive.Crash) (body []byte, contentType string, err error) {
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	if beside.JSON != nil {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="extra"`}, "Content-Type": {"application/json"}})
		if err == nil {
			_, err = part.Write(beside.JSON)
		}
		if err != nil {
			return nil, "", err
		}
	}
	annotations := maps.Clone(beside.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	maps.Copy(annotations, v.Annotation)
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		if err := w.WriteField(key, annotations[key]); err != nil {
			return nil, "", err
		}
	}
	part, err := w.CreateFormFile(schema.MainDump, name)
	if err == nil {
		_, err = part.Write(dump)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil || !v.Gzip {
		return buf.Bytes(), w.FormDataContentType(), err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err = z.Write(buf.Bytes()); err == nil {
		err = z.Close()
	}
	return packed.Bytes(), w.FormDataContentType(), err
}

// post sends the body once; final tells that sending it again would not help.
func (v *submitVerb) post(r *run, client *http.Client, body []byte, contentType string) (id string, final bool, err error) {
	req, err := http.NewRequestWithContext(r.ctx, http.MethodPost, v.URL, bytes.NewReader(body))
	if err != nil {
		return "", true, err
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "aftershock-submit")
	if v.Gzip {
		req.Header.Set("Content-Encoding", "gzip")
	}
	res, err := client.Do(req)
	if err != nil {
		return "", false, err
	}
	defer res.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	if err != nil {
		return "", false, err
	}
	answer := strings.TrimSpace(string(text))
	if id, ok := strings.CutPrefix(answer, "CrashID=bp-"); ok && res.StatusCode == http.StatusOK {
		return id, true, nil
	}
	return "", res.StatusCode < 500, fmt.Errorf("collector answered %s %q", res.Status, answer)
}
