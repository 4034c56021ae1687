/**
 * How a legacy server makes addresses unrecognizable, written from the description of that protocol and from nothing
 * of the server under test.
 */

/** Members of reports that hold an address. */
const ADDRESS_MEMBERS = [ 'ipAddress', 'ip', 'address' ];

/** Members of reports that hold address and port. */
const SOCKET_MEMBERS = [ 'googLocalAddress', 'googRemoteAddress' ];

/** `192.0.2.x`, `2001:db8:1:x:x:x:x:x`; anything else as it is. */
export function maskAddress(address) {
    if (address.startsWith('[') || address.includes(':')) {
        return `${address.replace(/^\[|\]$/g, '').split(':').slice(0, 3).join(':')}:x:x:x:x:x`;
    }

    return address.replace(/^(\d+\.\d+\.\d+)\.\d+$/, '$1.x');
}

/** The attributes behind `typ`, in pairs. */
function attributesOf(words) {
    const attributes = {};

    for (let i = 0; i + 1 < words.length; i += 2) {
        attributes[words[i]] = words[i + 1];
    }

    return attributes;
}

/** A candidate without what nobody needs, its addresses masked; `prefix` is `candidate:` or `a=candidate:`. */
function maskCandidate(line, prefix) {
    const [ foundation, component, transport, priority, address, port, , type, ...rest ]
        = line.slice(prefix.length).split(' ');
    const { raddr, rport, tcptype, ufrag } = attributesOf(rest);
    const isKept = type === 'relay' || transport.toLowerCase() === 'ssltcp';
    const parts = [ `${prefix}${foundation}`, component, transport.toUpperCase(), priority,
        isKept ? address : maskAddress(address), port, 'typ', type ];

    if (type !== 'host' && raddr && Number(rport)) {
        parts.push('raddr', maskAddress(raddr), 'rport', rport);
    }
    if (tcptype && transport.toLowerCase() === 'tcp') {
        parts.push('tcptype', tcptype);
    }
    if (ufrag) {
        parts.push('ufrag', ufrag);
    }

    return parts.join(' ');
}

/** A description, line by line. */
function maskDescription(sdp) {
    const lines = sdp.trim().split('\n').map(line => line.trim()).map(line => {
        if (line.startsWith('a=candidate:')) {
            return maskCandidate(line, 'a=candidate:');
        }
        if (line.startsWith('c=')) {
            return 'c=IN IP4 0.0.0.0';
        }

        return line.startsWith('a=rtcp:') ? 'a=rtcp:9 IN IP4 0.0.0.0' : line;
    });

    return `${lines.join('\r\n')}\r\n`;
}

/** One report of a getstats event. */
function maskReport(report) {
    if (typeof report !== 'object' || report === null) {
        return report;
    }
    const masked = { ...report };

    for (const member of ADDRESS_MEMBERS.filter(name => report[name] && report.candidateType !== 'relayed')) {
        masked[member] = maskAddress(report[member]);
    }
    for (const member of SOCKET_MEMBERS.filter(name => report[name])) {
        const colon = report[member].lastIndexOf(':');

        masked[member] = `${maskAddress(report[member].slice(0, colon))}${report[member].slice(colon)}`;
    }

    return masked;
}

const maskIce = value => (value?.candidate
    ? { ...value, candidate: maskCandidate(value.candidate, 'candidate:') } : value);
const maskSdp = value => (value?.sdp ? { ...value, sdp: maskDescription(value.sdp) } : value);
const maskStats = value => Object.fromEntries(Object.entries(value).map(([ id, report ]) => [ id, maskReport(report) ]));

const RULES = {
    addIceCandidate: maskIce,
    onicecandidate: maskIce,
    setLocalDescription: maskSdp,
    setRemoteDescription: maskSdp,
    createOfferOnSuccess: maskSdp,
    createAnswerOnSuccess: maskSdp,
    getstats: maskStats
};

/** Whether events of this name have addresses. */
export const isMasked = ([ name ]) => Object.hasOwn(RULES, name);

/** The event with its addresses masked. */
export function masked([ name, pc, value, ...rest ]) {
    return [ name, pc, isMasked([ name ]) ? RULES[name](value) : value, ...rest ];
}
