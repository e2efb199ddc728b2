package web

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"aftershock/access"
	"aftershock/ask"
	"aftershock/schema"
	"aftershock/signature"
)

// found are hits in the shape of Crash Stats.
func found(hits []map[string]any) map[string]any {
	if hits == nil {
		hits = []map[string]any{}
	}
	return map[string]any{"hits": hits, "total": len(hits)}
}

func (h *Handler) apiFirstDate(r *http.Request, q url.Values) (any, error) {
	rows, err := ask.FirstDates(r.Context(), h.o.DB, q["signatures"])
	var hits []map[string]any
	for _, row := range rows {
		hits = append(hits, map[string]any{"signature": row[0], "first_date": zoned(row[1]), "first_build": row[2]})
	}
	return found(hits), err
}

func (h *Handler) apiVersion(r *http.Request, q url.Values) (any, error) {
	rows, err := ask.VersionsOf(r.Context(), h.o.DB, q.Get("product"), q.Get("channel"), q.Get("build_id"), h.o.Now())
	var hits []map[string]any
	for _, row := range rows {
		hits = append(hits, map[string]any{"version_string": row[0]})
	}
	return found(hits), err
}

const (
	// maxJobs of one request to sign.
	maxJobs = 100
	// maxJobsBytes of their crash data.
	maxJobsBytes = 8 << 20
	// maxReprocessed are the crashes of one request to process them again.
	maxReprocessed = 1000
)

// signedJob is a job's result.
type signedJob struct {
	Signature      string         `json:"signature"`
	ProtoSignature string         `json:"proto_signature"`
	Notes          []string       `json:"notes"`
	Extra          map[string]any `json:"extra"` // of siggen's results; we have none
}

func (h *Handler) apiSign(r *http.Request, _ url.Values) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxJobsBytes+1))
	if err != nil {
		return nil, &apiError{http.StatusBadRequest, "the body has ended early"}
	}
	if len(body) > maxJobsBytes {
		return nil, &apiError{http.StatusRequestEntityTooLarge, "more than " + strconv.Itoa(maxJobsBytes) + " bytes"}
	}
	var asked struct {
		Jobs []json.RawMessage `json:"jobs"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return nil, &apiError{http.StatusBadRequest, `want JSON like {"jobs": [crash data]}`}
	}
	if len(asked.Jobs) == 0 {
		return nil, &apiError{http.StatusBadRequest, "no jobs specified"}
	}
	if len(asked.Jobs) > maxJobs {
		return nil, &apiError{http.StatusBadRequest, "more than " + strconv.Itoa(maxJobs) + " jobs"}
	}
	results := make([]signedJob, 0, len(asked.Jobs))
	for i, job := range asked.Jobs {
		crash, err := signature.ParseCrash(job)
		if err != nil {
			return nil, &apiError{http.StatusBadRequest, "job " + strconv.Itoa(i) + ": " + err.Error()}
		}
		s := signature.Default().Generate(crash)
		results = append(results, signedJob{s.Signature, s.ProtoSignature, append([]string{}, s.Notes...), map[string]any{}})
	}
	return map[string]any{"results": results}, nil
}

func (h *Handler) apiReprocess(r *http.Request, q url.Values) (any, error) {
	if h.o.Reprocess == nil {
		return nil, &apiError{http.StatusNotFound, "crashes are not processed again from here"}
	}
	if len(q["crash_ids"]) > maxReprocessed {
		return nil, &apiError{http.StatusBadRequest, "more than " + strconv.Itoa(maxReprocessed) + " crashes"}
	}
	var ids []string
	for _, asked := range q["crash_ids"] {
		name, _, _ := strings.Cut(asked, ":")
		id, ok := crashID(name)
		if !ok {
			return nil, &apiError{http.StatusBadRequest, "unknown crash id: " + strconv.Quote(asked[:min(len(asked), 60)])}
		}
		ids = append(ids, id)
	}
	if h.o.Login != nil {
		if err := h.audit(r, schema.AuditEvent{What: schema.AuditAgain, Role: string(access.Operator), Subject: r.URL.Path, Count: int64(len(ids))}); err != nil {
			return nil, err
		}
	}
	if err := h.o.Reprocess(r.Context(), ids); err != nil {
		return nil, err
	}
	return true, nil // as Crash Stats
}
