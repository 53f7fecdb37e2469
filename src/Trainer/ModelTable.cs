using System.Text.RegularExpressions;
using Ingot.Checkpoints;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Trainer;

/// <summary>What a model folder holds, for people: sizes, tensors, equal ones of all layers in one line, what was passed over.</summary>
internal static partial class ModelTable
{
    /// <summary>A line of the table.</summary>
    /// <param name="Name">The tensor.</param>
    /// <param name="Shape">Its dimensions, outermost first.</param>
    /// <param name="Type">What its numbers are.</param>
    public sealed record Row(string Name, IReadOnlyList<long> Shape, string Type);

    /// <summary>Writes what the folder's files hold.</summary>
    public static void Write(string folder, ModelTensors tensors)
    {
        Console.WriteLine($"model       {tensors.Model.ModelType}: {tensors.Model.Layers} layers, width {tensors.Model.Width}, "
            + $"vocabulary {tensors.Model.VocabularySize:N0}, context {tensors.Model.MaxPositions:N0}");
        if (tensors.Model.Task != ModelTask.CausalLm)
        {
            Console.WriteLine($"task        {tensors.Model.Task.Name()}"
                + (tensors.Model.Labels.Count > 0 ? $": {string.Join(", ", tensors.Model.Labels)}" : ""));
        }

        Console.WriteLine($"parameters  {tensors.Parameters.Sum(p => p.Elements):N0}");
        Console.WriteLine($"tokenizer   {DescribeTokenizer(folder, tensors.Model.VocabularySize)}");
        if (tensors.Passed.Count > 0)
        {
            IEnumerable<string> passed = Fold(tensors.Passed.Select(name => new Row(name, [], ""))).Select(row => row.Name);
            Console.WriteLine($"passed over {string.Join(", ", passed)}: buffers, or copies of other tensors");
        }

        Write(tensors.Parameters.Select(p => new Row(p.Name, p.Shape, tensors[p.Name].Dtype.FileName())));
    }

    /// <summary>Writes tensors.</summary>
    public static void Write(IEnumerable<Row> tensors)
    {
        List<Row> rows = Fold(tensors);
        int name = rows.Max(row => row.Name.Length);
        int shape = rows.Max(row => Shape(row).Length);
        foreach (Row row in rows)
        {
            Console.WriteLine($"  {row.Name.PadRight(name)}  {Shape(row).PadRight(shape)}  {row.Type}");
        }
    }

    private static string Shape(Row row) => $"[{string.Join(", ", row.Shape)}]";

    // Tensors that differ in nothing but the number of their layer share a line.
    private static List<Row> Fold(IEnumerable<Row> tensors) =>
    [
        .. tensors.GroupBy(row => (Pattern: Layer().Replace(row.Name, ".*."), Shape: Shape(row), row.Type)).Select(group =>
            group.First() with { Name = group.Count() == 1 ? group.First().Name : $"{group.Key.Pattern} ×{group.Count()}" }),
    ];

    private static string DescribeTokenizer(string folder, int vocabulary)
    {
        try
        {
            int tokens = Tokenizer.Load(folder).VocabularySize;
            return tokens <= vocabulary
                ? $"{tokens:N0} tokens"
                : $"{tokens:N0} tokens, more than the model has: it belongs to another model";
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return $"none that can be used here: {e.Message}";
        }
    }

    [GeneratedRegex(@"\.\d+\.")]
    private static partial Regex Layer();
}
