/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/transport.h"

#include "base/error.h"
#include <string.h>

static bool has_scheme(const char *url, const char *scheme)
{
    return strncmp(url, scheme, strlen(scheme)) == 0;
}

enum qn_status transport_open(const char *url, const char *name, uint64_t connect_ms,
                              struct transport *ret_transport, struct qn_error *error)
{
    if (has_scheme(url, "inproc://"))
        return transport_inproc_open(url, ret_transport, error);
    if (has_scheme(url, "nats://"))
        return transport_nats_open(url, name, connect_ms, ret_transport, error);
    if (has_scheme(url, "kafka://"))
        return error_set(error, QN_STATUS_UNSUPPORTED, "bus: this build has no kafka transport");
    return error_set(error, QN_STATUS_INVALID,
                     "bus: \"%s\" is not nats://host:port or inproc://name", url);
}
