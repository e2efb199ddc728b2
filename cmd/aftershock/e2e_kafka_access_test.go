package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"aftershock/internal/freeport"
	"aftershock/internal/reference"
	"aftershock/schema"
	"aftershock/stream"
)

// The documented access on a real Apache Kafka, whose own rules decide: every role
// works with its rows, the topics that it makes pass the check, and a wrong
// password and a missing row are said.
func TestDocumentedAccessOnRealKafka(t *testing.T) {
	script := reference.Path(t, "servers", "kafka.sh")
	for _, tool := range []string{"java", "mvn"} {
		needTool(t, tool)
	}
	dir, port, saslAddr := t.TempDir(), freeport.Row(t, 2), freeport.Address(t)
	start := exec.CommandContext(t.Context(), "bash", script, "start", dir, strconv.Itoa(port))
	// Of a setting that stands twice the later one counts. Whoever comes without a
	// password is the administrator.
	start.Env = append(os.Environ(), "KAFKA_PROPS="+strings.Join([]string{
		fmt.Sprintf("listeners=PLAINTEXT://127.0.0.1:%d,CONTROLLER://127.0.0.1:%d,SASL://%s", port, port+1, saslAddr),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://127.0.0.1:%d,SASL://%s", port, saslAddr),
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT",
		"inter.broker.listener.name=PLAINTEXT",
		"sasl.enabled.mechanisms=SCRAM-SHA-512",
		"listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;",
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users=User:ANONYMOUS",
	}, "\n"))
	if out, err := start.CombinedOutput(); err != nil {
		t.Fatalf("kafka.sh start: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("bash", script, "stop", dir).CombinedOutput(); err != nil {
			t.Logf("kafka.sh stop: %v\n%s", err, out)
		}
	})
	admin := stream.Kafka{Brokers: []string{fmt.Sprintf("127.0.0.1:%d", port)}, Log: zerolog.Nop()}
	guarded := stream.Kafka{Brokers: []string{saslAddr}, Log: zerolog.Nop()}
	grants := documentedGrants(t)
	works := func(role string) {
		t.Run(role, func(t *testing.T) {
			name := strings.ReplaceAll(role, " ", "-")
			addUser(t, admin, name)
			for _, g := range grants {
				if g.role == role {
					addGrant(t, admin, name, g)
				}
			}
			if err := accessRoles[role](t, admin, seenBy(t, guarded, name)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, role := range []string{"topics", "collect", "sink clickhouse", "sink telemetry", "consumer"} {
		works(role)
	}
	t.Run("a consumer reads nothing protected", func(t *testing.T) {
		for _, topic := range []string{schema.TopicRaw, schema.ProcessedTopic(1), schema.TopicDeadLetter, schema.TopicReprocess} {
			if err := oneRecord(t.Context(), seenBy(t, guarded, "consumer"), kgo.ConsumeTopics(topic)); !errors.Is(err, kerr.TopicAuthorizationFailed) {
				t.Errorf("%s: %v", topic, err)
			}
		}
	})
	t.Run("what the check says mends it", func(t *testing.T) {
		wrong := map[string]string{schema.TopicTelemetry: "cleanup.policy=delete", schema.TopicVersions: "retention.ms=86400000"}
		for topic, setting := range wrong {
			kafkaConfigs(t, script, dir, fmt.Sprintf("--alter --entity-type topics --entity-name %s --add-config %s", topic, setting))
		}
		findings, err := stream.CheckTopics(t.Context(), admin, stream.CheckOptions{AllowReplication1: true})
		if err != nil || len(findings) != len(wrong) {
			t.Fatalf("%v, %v", findings, err)
		}
		for _, f := range findings {
			if !strings.HasPrefix(wrong[f.Topic], f.Setting+"=") {
				t.Errorf("found %s", f)
			}
			kafkaConfigs(t, script, dir, strings.TrimPrefix(f.Mend, "kafka-configs.sh --bootstrap-server HOST:PORT "))
		}
		if findings, err = stream.CheckTopics(t.Context(), admin, stream.CheckOptions{AllowReplication1: true}); err != nil || len(findings) != 0 {
			t.Errorf("afterwards: %v, %v", findings, err)
		}
	})
	// They share a broker, and these leave versions and topics behind.
	works("replay")
	works("process")
	for _, missing := range grants {
		if missing.role != "process" || missing.operation == "DESCRIBE_CONFIGS" {
			continue
		}
		t.Run(fmt.Sprintf("a processor without %s on %s %s", missing.operation, missing.resource, missing.name), func(t *testing.T) {
			name := strings.NewReplacer(" ", "-", ".", "-").Replace("without " + missing.operation + " " + missing.name + " " + missing.resource)
			addUser(t, admin, name)
			for _, g := range grants {
				if g.role == missing.role && g != missing {
					addGrant(t, admin, name, g)
				}
			}
			var refused *stream.AccessError
			err := accessRoles["process"](t, admin, seenBy(t, guarded, name))
			if !errors.As(err, &refused) || refused.Operation != missing.operation || refused.Resource != missing.resource || !strings.HasPrefix(refused.Name, missing.name) {
				t.Errorf("err = %v", err)
			}
		})
	}
	t.Run("a wrong password", func(t *testing.T) {
		k := guarded
		m, err := stream.NewSASL(stream.SASLScramSHA512, "collect", "canary-wrong")
		if err != nil {
			t.Fatal(err)
		}
		k.Security.SASL = m
		err = stream.CheckStart(t.Context(), k, doorUses)
		if !errors.Is(err, kerr.SaslAuthenticationFailed) || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("err = %v", err)
		}
	})
}

// kafkaConfigs runs Kafka's own command as a shell would.
func kafkaConfigs(t *testing.T, script, dir, args string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", `exec bash "$0" configs "$1" `+args, script, dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, out)
	}
}

func addUser(t *testing.T, admin stream.Kafka, name string) {
	t.Helper()
	cl, err := kgo.NewClient(admin.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	res, err := kadm.NewClient(cl).AlterUserSCRAMs(t.Context(), nil, []kadm.UpsertSCRAM{
		{User: name, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: testPassword},
	})
	if err == nil {
		err = res.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func addGrant(t *testing.T, admin stream.Kafka, name string, g grant) {
	t.Helper()
	cl, err := kgo.NewClient(admin.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	acl := g.acl(t)
	c := kmsg.NewCreateACLsRequestCreation()
	c.ResourceType, c.ResourceName, c.ResourcePatternType = acl.Resource, acl.Name, acl.Pattern
	c.Principal, c.Host, c.Operation, c.PermissionType = "User:"+name, "*", acl.Operation, kmsg.ACLPermissionTypeAllow
	req := kmsg.NewPtrCreateACLsRequest()
	req.Creations = append(req.Creations, c)
	res, err := req.RequestWith(t.Context(), cl)
	if err == nil {
		err = kerr.ErrorForCode(res.Results[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
}
