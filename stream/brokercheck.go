package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"aftershock/schema"
)

// brokerLimit is a setting of the brokers that must not be below, or above, what
// we ask of them. (message.max.bytes is none: every topic has its own.)
type brokerLimit struct {
	setting  string
	limit    int64
	most     bool // the limit is an upper one
	severity string
	why      string
}

// offsetsOfAWeek: a group none of whose members ran for offsets.retention.minutes
// loses its place, and starts again from the beginning of its topic. Nothing is
// lost by that, and rows are counted once; but every crash still kept is
// processed and published again. So it is a warning, and the bound is not the
// retention of crash.raw but how long a whole fleet may be down by mistake:
// Kafka's own default of a week.
const offsetsOfAWeek = int64(7 * 24 * 60)

var brokerLimits = []brokerLimit{
	{"transaction.max.timeout.ms", transactionTimeout.Milliseconds(), false, SeverityError, "no transaction could begin"},
	{"group.min.session.timeout.ms", sessionTimeout.Milliseconds(), true, SeverityError, "no consumer group could be joined"},
	{"group.max.session.timeout.ms", sessionTimeout.Milliseconds(), false, SeverityError, "no consumer group could be joined"},
	{"socket.request.max.bytes", 2 * schema.MaxMessageBytes, false, SeverityError, "large batches would be cut off"},
	{"offsets.retention.minutes", offsetsOfAWeek, false, SeverityWarning, "groups that rest this long start again from the beginning"},
}

// brokerFindings looks at every broker: each has its own file of settings.
func brokerFindings(ctx context.Context, admin *kadm.Client) ([]Finding, error) {
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("check brokers: %w", reached(err))
	}
	configs, err := admin.DescribeBrokerConfigs(ctx, brokers.NodeIDs()...)
	if errors.Is(err, kerr.ClusterAuthorizationFailed) {
		return []Finding{{
			Severity: SeverityWarning, Topic: "brokers", Setting: "settings", Is: "hidden", Want: "readable",
			Why: "they were not checked", Mend: "allow DESCRIBE_CONFIGS on the cluster",
		}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("check brokers: %w", err)
	}
	var out []Finding
	for _, broker := range configs {
		if broker.Err != nil {
			return nil, fmt.Errorf("check broker %s: %w", broker.Name, broker.Err)
		}
		settings := values(broker.Configs)
		for _, l := range brokerLimits {
			is, err := strconv.ParseInt(settings[l.setting], 10, 64)
			if err != nil || !l.most && is >= l.limit || l.most && is <= l.limit {
				continue // another broker than Apache's may have no such setting
			}
			bound := "or more"
			if l.most {
				bound = "or less"
			}
			out = append(out, Finding{
				Severity: l.severity, Topic: "broker " + broker.Name, Setting: l.setting, Is: strconv.FormatInt(is, 10),
				Want: fmt.Sprintf("%d %s", l.limit, bound), Why: l.why,
				Mend: fmt.Sprintf("set %s=%d in the broker's server.properties and restart it", l.setting, l.limit),
			})
		}
	}
	return out, nil
}

// values are the settings that have one.
func values(configs []kadm.Config) map[string]string {
	out := make(map[string]string, len(configs))
	for _, c := range configs {
		if c.Value != nil {
			out[c.Key] = *c.Value
		}
	}
	return out
}
