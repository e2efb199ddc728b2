package embedded

import (
	"math"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// wholeFetches lets an answer be cut by each partition's limit alone. Where kfake
// cuts it by that of the whole answer, it forgets to say which transactions of the
// last partition were aborted, and clients take their records for committed. So an
// answer has at most as many bytes as a client wants of a partition, for each.
func wholeFetches(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if fetch, ok := req.(*kmsg.FetchRequest); ok {
			fetch.MaxBytes = math.MaxInt32
		}
		return nil, nil, false
	})
}
