package embedded

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// BrokerReady answers a readiness check for a broker at host:port: it asks for
// the supported versions and the cluster's metadata.
func BrokerReady(addr string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RetryTimeout(0), kgo.RequestRetries(0))
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Ping(ctx)
	}
}

// ClickHouseReady answers a readiness check for ClickHouse's HTTP interface at
// baseURL (http://host:port): it runs SELECT 1.
func ClickHouseReady(baseURL string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		target := strings.TrimSuffix(baseURL, "/") + "/?query=" + url.QueryEscape("SELECT 1")
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close() //nolint:errcheck // read to its end below; nothing was written
		body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		if err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != "1" {
			return fmt.Errorf("SELECT 1: status %d: %s", response.StatusCode, body)
		}
		return nil
	}
}
