package main

import (
	"syscall"

	"aftershock/internal/embedded"
)

// embeddedVerb runs one of the servers that up starts, in this process.
type embeddedVerb struct {
	Broker     embeddedBrokerVerb     `cmd:"" help:"A Kafka broker for trials."`
	Clickhouse embeddedClickHouseVerb `cmd:"" help:"ClickHouse's engine behind its HTTP interface."`
}

type embeddedBrokerVerb struct {
	Dir         string `required:"" help:"Where its data lie."`
	Listen      string `required:"" help:"Its address."`
	MemoryLimit int64  `default:"536870912" help:"Bytes of memory the broker aims to stay below."`
	SyncWrites  bool   `help:"Flush every batch to the disk."`
}

// Run serves until SIGTERM.
func (v *embeddedBrokerVerb) Run(r *run) error {
	private()
	return embedded.ServeBroker(r.ctx, embedded.BrokerOptions{
		Dir: v.Dir, Listen: v.Listen, MemoryLimit: v.MemoryLimit, SyncWrites: v.SyncWrites, Log: r.log,
	})
}

type embeddedClickHouseVerb struct {
	Dir           string `required:"" help:"Where its data lie."`
	Listen        string `required:"" help:"Its address."`
	AnalystListen string `help:"Address that shows the public database alone, read-only."`
	Library       string `required:"" help:"Path of libchdb.so."`
	MaxMemory     int64  `default:"2147483648" help:"Bytes of memory the engine may use."`

	AllowHost []string `help:"Names by which the server may be called."`
}

// Run serves until SIGTERM.
func (v *embeddedClickHouseVerb) Run(r *run) error {
	private()
	token, err := embedded.Token(v.Dir)
	if err != nil {
		return err
	}
	return embedded.ServeClickHouse(r.ctx, embedded.ClickHouseOptions{
		Token: token, AllowHost: v.AllowHost, AnalystListen: v.AnalystListen,
		Dir: v.Dir, Listen: v.Listen, Library: v.Library, MaxMemory: v.MaxMemory, DefaultDatabase: "aftershock", Log: r.log,
	})
}

// private keeps what this process makes, and its children, from other users.
func private() { syscall.Umask(0o077) }
