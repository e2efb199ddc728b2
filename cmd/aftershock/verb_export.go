package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"aftershock/sinks/clickhouse"
)

// exportVerb writes data sets: a file a day.
type exportVerb struct {
	Dir           string   `arg:"" help:"Folder for the files, crashes-2026-11-22.parquet each. Those that are there are left alone, so that the command can go on where it stopped."`
	From          moment   `help:"First day, or how long ago it was (30d)." required:""`
	To            *moment  `help:"Last day; by default yesterday, whose crashes are over."`
	Format        string   `help:"parquet, csv, or json (an object a line)." enum:"parquet,csv,json" default:"parquet"`
	Where         string   `help:"Only crashes for which this holds: a condition in ClickHouse's SQL on the columns of docs/fields.md."`
	Column        []string `help:"Only this column (repeated)."`
	Public        bool     `help:"What may be shown to anybody." xor:"class" required:""`
	Protected     bool     `help:"What needs a grant." xor:"class" required:""`
	Pings         bool     `help:"Crash pings instead of reports."`
	ClickhouseURL string   `help:"ClickHouse's HTTP interface, http://[user:password@]host:port." name:"clickhouse-url" default:"http://127.0.0.1:8123"`
}

// exportFormats are the endings of files, and ClickHouse's names of what they hold.
var exportFormats = map[string]string{"parquet": "Parquet", "csv": "CSVWithNames", "json": "JSONEachRow"}

const maxExportDays = 4000

// Run writes the files.
func (v *exportVerb) Run(r *run) error {
	to := time.Now().UTC().AddDate(0, 0, -1)
	if v.To != nil {
		to = v.To.Time
	}
	if to.Before(v.From.Time) || to.Sub(v.From.Time) > maxExportDays*24*time.Hour {
		return &usageError{fmt.Sprintf("--from and --to: want at most %d days, the first before the last", maxExportDays)}
	}
	db, err := r.tables(v.ClickhouseURL)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is left in it
	e := clickhouse.Export{Of: clickhouse.Reports, Protected: v.Protected, Where: v.Where, Columns: v.Column, Format: exportFormats[v.Format]}
	if v.Pings {
		e.Of = clickhouse.Pings
	}
	days, err := db.ExportDays(r.ctx, e, v.From.Time, to)
	if err != nil {
		return err
	}
	mode := os.FileMode(0o755)
	if v.Protected {
		mode = 0o700
	}
	if err := os.MkdirAll(v.Dir, mode); err != nil {
		return err
	}
	return v.write(r, db, e, days)
}

func (v *exportVerb) write(r *run, db *clickhouse.DB, e clickhouse.Export, days []clickhouse.ExportDay) error {
	var total, written uint64
	for _, d := range days {
		total += d.Crashes
	}
	files, left := 0, 0
	bar := r.bar("exported", int(total))
	defer bar.end()
	for _, d := range days {
		path := filepath.Join(v.Dir, e.Of.View+"-"+d.Day.Format(time.DateOnly)+"."+v.Format)
		switch _, err := os.Stat(path); {
		case err == nil:
			left++
		case !errors.Is(err, fs.ErrNotExist):
			return err
		default:
			if err := exportFile(r.ctx, db, e, d.Day, path); err != nil {
				return err
			}
			files, written = files+1, written+d.Crashes
		}
		bar.add(int(d.Crashes))
	}
	_, err := fmt.Fprintf(r.stdout, "%d files with %d crashes written, %d were there\n", files, written, left)
	return err
}

// exportFile writes a day's file. It is there whole, or not.
func exportFile(ctx context.Context, db *clickhouse.DB, e clickhouse.Export, day time.Time, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".export-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = db.ExportTo(ctx, e, day, f)
	if err == nil && !e.Protected {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
