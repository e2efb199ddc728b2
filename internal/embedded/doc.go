// Package embedded runs the servers that `aftershock up` and the tests need on
// a machine where nothing is installed: a Kafka broker, ClickHouse and a
// read-only schema registry.
//
// [ServeBroker] and [ServeClickHouse] each want a process of their own: the
// broker sets the memory limit of the Go runtime, and ClickHouse's engine is a
// C++ library (libchdb, loaded without cgo) that handles signals and aborts as
// it sees fit. Their caller re-executes itself with a hidden verb and looks
// after that process with [Start].
//
// None of this is for production: one node, no replication, no users. There
// `--brokers`, `--clickhouse-url` and `--registry` name real servers, and every
// other package talks to both kinds in the same way. All servers listen on the
// loopback interface only.
//
// What it does not do: ClickHouse's native TCP protocol, users and quotas,
// progress headers; the broker's limits are those of kfake.
package embedded
