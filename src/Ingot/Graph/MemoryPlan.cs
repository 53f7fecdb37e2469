namespace Ingot.Graphs;

/// <summary>
/// Places every temporary of a graph in one arena, so that those that live at different times share memory.
/// Greedy by size: the largest first, each at the lowest offset that is free while it lives.
/// </summary>
public sealed class MemoryPlan
{
    private const long Alignment = 256;
    private readonly Dictionary<Storage, long> _offsets = [];

    private MemoryPlan()
    {
    }

    /// <summary>Size of the arena in bytes.</summary>
    public long ArenaBytes { get; private set; }

    /// <summary>What all temporaries would take without sharing, in bytes.</summary>
    public long UnsharedBytes { get; private set; }

    /// <summary>Where a temporary lies in the arena, in bytes.</summary>
    public long OffsetOf(Storage storage) => _offsets[storage];

    /// <summary>Plans <paramref name="graph"/>'s temporaries.</summary>
    /// <param name="graph">A graph after all passes.</param>
    /// <param name="share">Whether they share memory; without it each has its own place, for checks.</param>
    public static MemoryPlan Make(Graph graph, bool share = true)
    {
        var lives = Lifetimes(graph.Calls);
        var plan = new MemoryPlan();
        var sameAs = share ? InPlace(graph.Calls, lives) : [];
        var groups = lives.Keys.GroupBy(s => Root(s, sameAs)).Select(g => new Block(
            [.. g], g.Max(s => Aligned(s.Bytes)), g.Min(s => lives[s].First), g.Max(s => lives[s].Last))).ToList();
        plan.UnsharedBytes = lives.Keys.Sum(s => Aligned(s.Bytes));

        var placed = new List<Block>();
        foreach (var block in groups.OrderByDescending(b => b.Bytes).ThenBy(b => b.First))
        {
            var offset = 0L;
            foreach (var other in placed)
            {
                // placed is sorted by offset: take the first gap that is wide enough.
                if (share && (other.First > block.Last || other.Last < block.First))
                    continue;
                if (offset + block.Bytes <= other.Offset)
                    break;
                offset = Math.Max(offset, other.Offset + other.Bytes);
            }

            block.Offset = offset;
            var at = placed.FindIndex(b => b.Offset > offset);
            placed.Insert(at < 0 ? placed.Count : at, block);
            plan.ArenaBytes = Math.Max(plan.ArenaBytes, offset + block.Bytes);
            foreach (var storage in block.Storages)
                plan._offsets.Add(storage, offset);
        }

        return plan;
    }

    private static Dictionary<Storage, (int First, int Last)> Lifetimes(List<Call> calls)
    {
        var lives = new Dictionary<Storage, (int First, int Last)>();
        for (var i = 0; i < calls.Count; i++)
        {
            foreach (var t in calls[i].Operands)
            {
                if (t is not null && t.Storage.Kind == StorageKind.Temporary)
                    lives[t.Storage] = lives.TryGetValue(t.Storage, out var l) ? (l.First, i) : (i, i);
            }
        }

        return lives;
    }

    /// <summary>Outputs that take the place of an input that dies in the same call.</summary>
    private static Dictionary<Storage, Storage> InPlace(List<Call> calls, Dictionary<Storage, (int First, int Last)> lives)
    {
        var sameAs = new Dictionary<Storage, Storage>();
        for (var i = 0; i < calls.Count; i++)
        {
            if (calls[i].Op.InPlaceOf is not { } name || calls[i].Find(name) is not { } input)
                continue;
            var output = calls[i].Outputs.First().Storage;
            if (input.Storage.Kind == StorageKind.Temporary && output.Kind == StorageKind.Temporary && output != input.Storage
                && lives[input.Storage].Last == i && lives[output].First == i && output.Bytes == input.Storage.Bytes
                && !sameAs.ContainsKey(output))
                sameAs.Add(output, input.Storage);
        }

        return sameAs;
    }

    private static Storage Root(Storage s, Dictionary<Storage, Storage> sameAs)
    {
        while (sameAs.TryGetValue(s, out var next))
            s = next;
        return s;
    }

    private static long Aligned(long bytes) => checked((bytes + Alignment - 1) / Alignment * Alignment);

    private sealed record Block(List<Storage> Storages, long Bytes, int First, int Last)
    {
        public long Offset { get; set; }
    }
}
