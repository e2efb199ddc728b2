/* Appends a crash to crash.raw, as docs/raw-events.md asks of collectors that are not Aftershock's.
 *
 * usage: raw_crash BROKERS SCHEMA_ID DUMP [NAME=VALUE ...]
 * make:  cc -O2 -o raw_crash raw_crash.c -lrdkafka -lcrypto
 */
#include <librdkafka/rdkafka.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INLINE_MAX = 64 << 10, EVENT_MAX = 512 << 10 };
static unsigned char event[EVENT_MAX], dump[INLINE_MAX + 1];
static size_t used;

static void fail(const char *why) { fprintf(stderr, "raw_crash: %s\n", why); exit(1); }
static void raw(const void *b, size_t n) {
    if (n > EVENT_MAX - used) fail("the event is too large");
    memcpy(event + used, b, n), used += n;
}
static void number(int64_t v) { /* Avro's long: zigzag, seven bits at a time */
    for (uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);; z >>= 7) {
        unsigned char c = (z & 0x7f) | (z > 0x7f ? 0x80 : 0);
        raw(&c, 1);
        if (z <= 0x7f) return;
    }
}
static void bytes(const void *b, size_t n) { number((int64_t)n), raw(b, n); }
static void text(const char *s) { bytes(s, strlen(s)); }
static void delivered(rd_kafka_t *k, const rd_kafka_message_t *m, void *failed) { (void)k; *(int *)failed = m->err != 0; }

int main(int argc, char **argv) {
    if (argc < 4) fail("usage: raw_crash BROKERS SCHEMA_ID DUMP [NAME=VALUE ...]");
    FILE *f = fopen(argv[3], "rb");
    size_t size = f ? fread(dump, 1, sizeof dump, f) : 0;
    if (!f || size > INLINE_MAX) fail("the dump cannot be read, or goes to the blob store first");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    unsigned char r[16], sum[SHA256_DIGEST_LENGTH];
    if (RAND_bytes(r, sizeof r) != 1) fail("no random bytes");
    char id[37], day[7]; /* a random UUID that ends in the throttle digit and the day */
    strftime(day, sizeof day, "%y%m%d", gmtime(&now.tv_sec));
    snprintf(id, sizeof id, "%02x%02x%02x%02x-%02x%02x-4%01x%02x-%02x%02x-%02x%02x%01x0%s", r[0], r[1], r[2], r[3], r[4], r[5],
             r[6] & 15, r[7], (r[8] & 0x3f) | 0x80, r[9], r[10], r[11], r[12] & 15, day);
    SHA256(dump, size, sum);

    uint32_t schema = (uint32_t)atoi(argv[2]); /* Confluent's wire format: a zero, the id, the value */
    unsigned char head[5] = {0, schema >> 24, schema >> 16, schema >> 8, schema};
    raw(head, sizeof head), text(id), number(ms), text("report");
    if (argc > 4) number(argc - 4); /* the annotations, a block of a map */
    for (int i = 4; i < argc; i++) {
        char *eq = strchr(argv[i], '=');
        if (!eq) fail("want NAME=VALUE");
        bytes(argv[i], (size_t)(eq - argv[i])), text(eq + 1);
    }
    number(0);                                   /* no more annotations */
    number(0);                                   /* annotation_overflow */
    number(1), text("upload_file_minidump"), number((int64_t)size), raw(sum, sizeof sum);
    number(0), number(1), bytes(dump, size), number(0), number(0); /* encoding none, inline, no blob; no more dumps */
    double rate = 1;
    text("accept_everything"), raw(&rate, sizeof rate), text("accept"); /* a double is little-endian */
    number(0), text("multipart"), raw("", 1), number((int64_t)size), text("raw_crash.c"), number(0); /* notes, payload, no envelope */

    char why[512];
    int failed = -1;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *set[][2] = {{"bootstrap.servers", argv[1]}, {"acks", "all"}, {"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}};
    for (int i = 0; i < 4; i++)
        if (rd_kafka_conf_set(conf, set[i][0], set[i][1], why, sizeof why)) fail(why);
    rd_kafka_conf_set_dr_msg_cb(conf, delivered), rd_kafka_conf_set_opaque(conf, &failed);
    rd_kafka_t *k = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!k) fail(why);
    rd_kafka_producev(k, RD_KAFKA_V_TOPIC("crash.raw"), RD_KAFKA_V_KEY(id, 36), RD_KAFKA_V_VALUE(event, used), RD_KAFKA_V_TIMESTAMP(ms), RD_KAFKA_V_END);
    rd_kafka_flush(k, 30000);
    if (failed) fail("not appended");
    printf("CrashID=bp-%s\n", id); /* only now: it is a promise */
    return 0;
}
