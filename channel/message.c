/* SPDX-License-Identifier: Apache-2.0 */
#include "channel/message.h"

#include <string.h>

/* `digits` of them, not all zero unless `may_be_zero`, then the byte `end`. */
static bool is_hex(const char *text, size_t digits, bool may_be_zero, char end)
{
    return strspn(text, "0123456789abcdef") == digits && text[digits] == end &&
           (may_be_zero || strspn(text, "0") < digits);
}

bool traceparent_is_valid(const char *text)
{
    return strncmp(text, "00-", 3) == 0 && is_hex(text + 3, 32, false, '-') &&
           is_hex(text + 36, 16, false, '-') && is_hex(text + 53, 2, true, '\0');
}

bool message_is_receipt(enum message_kind kind)
{
    return kind == MESSAGE_SEGMENT_LOADED || kind == MESSAGE_SEGMENT_RELEASED ||
           kind == MESSAGE_LOAD_FAILED || kind == MESSAGE_RELEASE_HELD || kind == MESSAGE_LEAVING ||
           kind == MESSAGE_COMMAND_REFUSED;
}

const char *message_kind_name(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_NONE:
        return "none";
    case MESSAGE_LOAD_SEGMENTS:
        return "LoadSegments";
    case MESSAGE_RELEASE_SEGMENTS:
        return "ReleaseSegments";
    case MESSAGE_CHANGE_INFO:
        return "SealedSegmentsChangeInfo";
    case MESSAGE_REPORT_REQUEST:
        return "ReportRequest";
    case MESSAGE_COPY_STATUS_REQUEST:
        return "CopyStatusRequest";
    case MESSAGE_COPY_STATUS:
        return "CopyStatus";
    case MESSAGE_SEARCH_REQUEST:
        return "SearchRequest";
    case MESSAGE_SEARCH_ANSWER:
        return "SearchAnswer";
    case MESSAGE_NODE_REPORT:
        return "NodeReport";
    case MESSAGE_SEGMENT_LOADED:
        return "SegmentLoaded";
    case MESSAGE_SEGMENT_RELEASED:
        return "SegmentReleased";
    case MESSAGE_LOAD_FAILED:
        return "LoadFailed";
    case MESSAGE_RELEASE_HELD:
        return "ReleaseHeld";
    case MESSAGE_LEAVING:
        return "Leaving";
    case MESSAGE_COMMAND_REFUSED:
        return "CommandRefused";
    case MESSAGE_COLLECTION_VIEW:
        return "CollectionView";
    case MESSAGE_COORD_REQUEST:
        return "CoordRequest";
    case MESSAGE_COORD_ANSWER:
        return "CoordAnswer";
    }
    return "message?";
}
