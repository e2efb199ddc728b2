package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"github.com/rs/zerolog"

	"aftershock/schema"
	"aftershock/sinks/clickhouse"
)

// clickhousePassword is the environment's variable with ClickHouse's password. It
// or --clickhouse-password-file keep it out of the list of processes.
const clickhousePassword = "AFTERSHOCK_CLICKHOUSE_PASSWORD"

// withPassword is a URL of ClickHouse with the password that was given beside it.
func (r *run) withPassword(raw string) (string, error) {
	password := os.Getenv(clickhousePassword)
	if r.passwordFile != "" {
		if password != "" {
			return "", &usageError{"two passwords: remove --clickhouse-password-file or $" + clickhousePassword}
		}
		text, err := readSmall(r.passwordFile, maxPasswordBytes)
		if err != nil {
			return "", fmt.Errorf("--clickhouse-password-file: %w", err)
		}
		if password = string(bytes.TrimRight(text, "\r\n")); password == "" {
			return "", fmt.Errorf("--clickhouse-password-file: %s is empty", r.passwordFile)
		}
	}
	if password == "" {
		return raw, nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return raw, nil //nolint:nilerr // who opens it says so, without the URL
	}
	user := "default"
	if u.User != nil {
		if _, has := u.User.Password(); has {
			return "", &usageError{"two passwords: remove that of --clickhouse-url, which everybody on this machine can see"}
		}
		user = u.User.Username()
	}
	u.User = url.UserPassword(user, password)
	return u.String(), nil
}

// readSmall reads a file that must not be larger.
func readSmall(path string, maxBytes int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err == nil && int64(len(text)) > maxBytes {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxBytes)
	}
	return text, err
}

// tables connects to ClickHouse for a verb that asks it; the caller closes it.
func (r *run) tables(raw string) (*clickhouse.DB, error) {
	raw, err := r.withPassword(raw)
	if err != nil {
		return nil, err
	}
	db, err := clickhouse.Open(raw, schema.DefaultRegistry)
	if err != nil {
		return nil, err
	}
	if err := db.Ping(r.ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("clickhouse: %w (is %s the right --clickhouse-url?)", err, redactURL(raw)), db.Close())
	}
	return db, nil
}

// openClickHouse is for a role that stores rows: see migrate. The caller closes it.
func openClickHouse(raw string) (*clickhouse.DB, error) {
	return clickhouse.Open(raw, schema.DefaultRegistry)
}

// migrate brings the tables up to date.
func migrate(ctx context.Context, db *clickhouse.DB, raw string, log zerolog.Logger) error {
	newer, err := db.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("%w (is %s the right --clickhouse-url?)", err, redactURL(raw))
	}
	if len(newer) > 0 {
		log.Warn().Strs("migrations", newer).Msg("a newer release has added to the tables: this one fills what it knows")
	}
	return nil
}

// keepFlag is how long rows are kept.
type keepFlag struct {
	Keep *keptDays `help:"Days that crashes are kept in the tables, like 400d: those of older days go; 0d keeps all. Without it the tables stay as they are, which is to keep all at first. The same for every sink." placeholder:"DAYS"`
}

// migrate brings the tables up to date, and makes them keep what the flag says.
func (f keepFlag) migrate(ctx context.Context, db *clickhouse.DB, raw string, log zerolog.Logger) error {
	if err := migrate(ctx, db, raw, log); err != nil || f.Keep == nil {
		return err
	}
	return db.Retain(ctx, int(*f.Keep))
}

// keptDays is dayCount, or 0d.
type keptDays int

// UnmarshalText wants a number of days.
func (d *keptDays) UnmarshalText(text []byte) error {
	if string(text) == "0d" {
		*d = 0
		return nil
	}
	return (*dayCount)(d).UnmarshalText(text)
}
