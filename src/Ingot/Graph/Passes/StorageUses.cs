namespace Ingot.Graphs.Passes;

/// <summary>Which calls use a storage, by position.</summary>
internal sealed class StorageUses
{
    private readonly Dictionary<Storage, List<Call>> _uses = [];

    public StorageUses(IEnumerable<Call> calls)
    {
        foreach (var call in calls)
        {
            foreach (var storage in call.Operands.OfType<Tensor>().Select(t => t.Storage).Distinct())
            {
                if (!_uses.TryGetValue(storage, out var list))
                    _uses.Add(storage, list = []);
                list.Add(call);
            }
        }
    }

    /// <summary>Whether the temporary is written by one call and read by the other, and used nowhere else.</summary>
    public bool OnlyBetween(Tensor tensor, Call writer, Call reader) => tensor.Storage.Kind == StorageKind.Temporary
        && _uses[tensor.Storage] is [var first, var second] && first == writer && second == reader;

    /// <summary>Calls that use the storage, in order.</summary>
    public IReadOnlyList<Call> Of(Storage storage) => _uses.TryGetValue(storage, out var list) ? list : [];
}
