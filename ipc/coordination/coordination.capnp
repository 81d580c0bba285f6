# What a broker and its coordinator say to one another. Described in docs/formats/coordination.md.
@0xb7d1c0a4e5f2936d;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("millrace::coordination::wire");

struct ToCoordinator {
  union {
    hello @0 :Hello;
    lead @1 :Lead;
    lost @2 :Lost;
    request @3 :ClientRequest;
    batches @4 :Batches;
    committed @5 :Committed;
    appendFailed @6 :AppendFailed;
    ping @7 :Ping;
  }
}

struct ToBroker {
  union {
    welcome @0 :Welcome;
    answer @1 :ClientAnswer;
    read @2 :Read;
    append @3 :Append;
    pong @4 :Ping;
  }
}

struct LoadedPartition {
  partition @0 :Int32;
  epoch @1 :Int32;
  load @2 :UInt64;
}

struct Hello {
  version @0 :UInt16;
  broker @1 :Int32;
  cluster @2 :Data;
  session @3 :UInt64;
}

struct Lead {
  partition @0 :Int32;
  epoch @1 :Int32;
}

struct Lost {
  partition @0 :Int32;
}

struct KnownTopic {
  name @0 :Text;
  id @1 :Data;
  partitions @2 :Int32;
}

struct ClientRequest {
  number @0 :UInt64;
  api @1 :Int16;
  version @2 :Int16;
  principal @3 :Text;
  clientId @4 :Text;
  clientHost @5 :Text;
  statePartitions @6 :Int32;
  topics @7 :List(KnownTopic);
  body @8 :Data;
}

struct Batches {
  of @0 :LoadedPartition;
  error @1 :Int16;
  next @2 :Int64;
  end @3 :Int64;
  batches @4 :Data;
}

struct Committed {
  of @0 :LoadedPartition;
  ticket @1 :UInt64;
}

struct AppendFailed {
  of @0 :LoadedPartition;
  error @1 :Int16;
}

struct Ping {
  number @0 :UInt64;
}

struct Welcome {
  version @0 :UInt16;
}

struct ClientAnswer {
  number @0 :UInt64;
  close @1 :Bool;
  reason @2 :Text;
  body @3 :Data;
}

struct Read {
  session @0 :UInt64;
  of @1 :LoadedPartition;
  from @2 :Int64;
  bytesMax @3 :UInt32;
}

struct Append {
  session @0 :UInt64;
  of @1 :LoadedPartition;
  ticket @2 :UInt64;
  batch @3 :Data;
}
