package spool

import (
	"time"

	"aftershock/schema"
)

const (
	// DefaultBytes is what a spool may take of the disk.
	DefaultBytes int64 = 1 << 30
	// MinBytes has room for one crash of any size.
	MinBytes int64 = (maxFileBytes + blockBytes - 1) / blockBytes * blockBytes

	// maxEventBytes bounds an event: the broker takes no larger one.
	maxEventBytes = schema.MaxMessageBytes
	maxFileBytes  = int64(headerBytes + maxEventBytes)
	// blockBytes is the least that a file takes of a disk: a million small
	// files must not take four times what was allowed.
	blockBytes = 4 << 10

	// brokerDeadline is how long a client waits for the broker before its crash
	// goes to the folder; and how long Run does.
	brokerDeadline = 5 * time.Second
	// drainPause is between two tries of Run while the broker is away.
	drainPause = time.Second
	// A drain gives the broker so much at once.
	drainRecords = 64
	drainBytes   = 4 << 20
	// maxSetAside bounds how many files of one name are set aside.
	maxSetAside = 1000
)
