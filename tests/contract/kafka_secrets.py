# SPDX-License-Identifier: Apache-2.0
"""What a Kafka broker that asks who you are needs, made with openssl: for kafka_broker.

Accounts are those of kafka_acls.conf, by SASL/PLAIN (`scram` by SCRAM-SHA-256); USER.properties in
the broker's folder is what a client of librdkafka reads. Two are not in kafka_acls.conf: `reader`
may write nothing, `scram` reads and writes all. Some do not get in: `wrong` and `wrong-scram` have a
wrong password, `stranger` trusts another authority than the broker's, `plain` speaks no TLS.
"""
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
USERS = ("agent", "coordinator", "client", "operator", "maker", "reader")
LOGIN = "org.apache.kafka.common.security.{kind}LoginModule required "
SECURE = """listeners=SASL_SSL://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=SASL_SSL://127.0.0.1:{port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:SASL_SSL
security.inter.broker.protocol=SASL_SSL
sasl.mechanism.inter.broker.protocol=PLAIN
sasl.mechanism.controller.protocol=PLAIN
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256
listener.name.sasl_ssl.plain.sasl.jaas.config={plain}
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}
listener.name.controller.sasl.enabled.mechanisms=PLAIN
listener.name.controller.plain.sasl.jaas.config={plain}
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin
allow.everyone.if.no.acl.found=false
"""
CLIENT = """security.protocol={protocol}
sasl.mechanisms={mechanism}
sasl.username={user}
sasl.password={password}
ssl.ca.location={ca}
"""
# Arguments of kafka.tools.StorageTool: SCRAM accounts live in the metadata.
SCRAM = ("--add-scram", "SCRAM-SHA-256=[name=scram,password=s3cret-scram]")


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def certificates(folder):
    """Two authorities; the broker's certificate is of the first, and for 127.0.0.1 only."""
    for name in ("ca", "other-ca"):
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.pem")
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=broker", "-keyout", "broker.key", "-out", "broker.csr")
    (folder / "san").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(folder, "x509", "-req", "-in", "broker.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", "broker.crt")
    (folder / "broker.pem").write_text((folder / "broker.key").read_text() +
                                       (folder / "broker.crt").read_text())


def make(folder):
    """All the files; the lines of server.properties, with {port} and {controller} to be filled in."""
    certificates(folder)
    ca, other_ca = folder / "ca.pem", folder / "other-ca.pem"
    passwords = {user: f"s3cret-{user}" for user in ("admin", *USERS)}
    rows = [(user, "sasl_ssl", "PLAIN", user, password, ca) for user, password in passwords.items()]
    rows += [("scram", "sasl_ssl", "SCRAM-SHA-256", "scram", "s3cret-scram", ca),
             ("wrong", "sasl_ssl", "PLAIN", "agent", "s3cret-no", ca),
             ("wrong-scram", "sasl_ssl", "SCRAM-SHA-256", "scram", "s3cret-no", ca),
             ("stranger", "sasl_ssl", "PLAIN", "agent", "s3cret-agent", other_ca),
             ("plain", "sasl_plaintext", "PLAIN", "agent", "s3cret-agent", ca)]
    for name, protocol, mechanism, user, password, authority in rows:
        (folder / f"{name}.properties").write_text(CLIENT.format(
            protocol=protocol, mechanism=mechanism, user=user, password=password, ca=authority))
    admin = LOGIN.format(kind="plain.Plain") + 'username="admin" password="s3cret-admin"'
    (folder / "admin-java.properties").write_text(
        f"security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.jaas.config={admin};\n"
        f"ssl.truststore.type=PEM\nssl.truststore.location={ca}\n")
    known = "".join(f' user_{user}="{password}"' for user, password in passwords.items())
    return SECURE.format(port="{port}", controller="{controller}", folder=folder,
                         plain=f"{admin}{known};", scram=LOGIN.format(kind="scram.Scram") + ";")


def acls():
    """Arguments of kafka-acls.sh --add, a list each."""
    lines = (HERE / "kafka_acls.conf").read_text().splitlines()
    lines += ["--allow-principal User:reader --operation Read --topic qnode.demo.report "
              "--topic qnode.demo.query --topic qnode.demo.reply",
              "--allow-principal User:scram --operation Read --operation Write "
              "--resource-pattern-type prefixed --topic qnode.demo."]
    return [line.split() for line in lines if not line.startswith("#")]
