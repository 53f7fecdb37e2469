using Ingot.Bindings;

namespace Ingot.Graphs;

/// <summary>
/// Which kernels to use in place of the defaults: "op" → "variant" for all calls of an op, "layer/op" → "variant" for those in certain
/// layers. A layer is a pattern of the calls' labels (<see cref="NamePattern"/>): "h.0.attn/attention", "h.*/matmul". Of the choices that
/// fit a call the one with the most letters in its layer wins.
/// </summary>
public sealed class KernelChoices
{
    private readonly List<Choice> _choices = [];

    /// <summary>Reads choices as options have them.</summary>
    /// <exception cref="ArgumentException">A key is not "op" or "layer/op".</exception>
    public KernelChoices(IReadOnlyDictionary<string, string> choices)
    {
        foreach (var (key, variant) in choices.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var slash = key.LastIndexOf('/');
            var layer = slash < 0 ? null : key[..slash];
            try
            {
                _choices.Add(new Choice(key, layer is null ? null : NamePattern.Parse(layer), key[(slash + 1)..], variant,
                    layer?.Count(c => c is not '*' and not '?') ?? -1));
            }
            catch (FormatException e)
            {
                throw new ArgumentException($"kernels: \"{key}\" is no op and no layer/op: {e.Message}", e);
            }
        }

        _choices.Sort((a, b) => b.Weight.CompareTo(a.Weight));
    }

    /// <summary>The variant for a call of an op in a layer; null for the default.</summary>
    public string? For(string op, string label) =>
        _choices.Find(c => c.Op == op && c.Layer?.Matches(label) != false)?.Variant;

    /// <summary>
    /// Finds choices that cannot be meant: an op or a variant that does not exist, or a layer that has no call of the op where others have.
    /// </summary>
    /// <param name="device">Where the calls run.</param>
    /// <param name="calls">Op and label of every call of what the choices are for.</param>
    /// <exception cref="ArgumentException">There is one; the message gives the nearest names.</exception>
    public void Check(DeviceKind device, IReadOnlyCollection<(string Op, string Label)> calls)
    {
        if (_choices.Count == 0)
            return;
        var kernels = Kernel.GetAll();
        foreach (var choice in _choices)
        {
            CheckNames(choice, device, kernels);
            if (choice.Layer is not { } layer)
                continue;
            string[] labels = [.. calls.Where(c => c.Op == choice.Op).Select(c => c.Label).Distinct()];
            if (labels.Length > 0 && !labels.Any(layer.Matches))
            {
                throw new ArgumentException(
                    $"kernel {choice.Key}={choice.Variant}: no call of {choice.Op} is in a layer \"{layer}\"; they are in {List(labels)}");
            }
        }
    }

    private static void CheckNames(Choice choice, DeviceKind device, IReadOnlyList<Kernel> kernels)
    {
        var subject = $"kernel {choice.Key}={choice.Variant}";
        string[] ops = [.. kernels.Select(k => k.Op).Distinct()];
        if (!ops.Contains(choice.Op))
        {
            throw new ArgumentException(
                $"{subject}: there is no op \"{choice.Op}\"{DidYouMean(choice.Op, ops)}; `ingot kernels` lists all");
        }

        string[] variants = [.. kernels.Where(k => k.Op == choice.Op && k.DeviceKind == device).Select(k => k.Variant)];
        if (!variants.Contains(choice.Variant))
        {
            throw new ArgumentException($"{subject}: {choice.Op} has no {(device == DeviceKind.Cpu ? "CPU" : "CUDA")} kernel "
                + $"\"{choice.Variant}\"{DidYouMean(choice.Variant, variants)}; there is {string.Join(", ", variants)}");
        }
    }

    private static string DidYouMean(string wrong, string[] known) =>
        NearestName.Find(wrong, known) is { } near ? $" (did you mean {near}?)" : "";

    private static string List(string[] names) =>
        string.Join(", ", names.Take(6)) + (names.Length > 6 ? $" and {names.Length - 6} others" : "");

    private sealed record Choice(string Key, NamePattern? Layer, string Op, string Variant, int Weight);
}
