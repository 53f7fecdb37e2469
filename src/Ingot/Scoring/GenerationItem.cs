using System.Text.Json;
using Ingot.Chat;
using Ingot.Evaluation;

namespace Ingot.Scoring;

/// <summary>Something for a model to write, and what it should come near to.</summary>
/// <param name="Place">Where it stands, for errors.</param>
/// <param name="Prompt">What the model goes on from, or the source that an encoder-decoder reads; empty for a conversation.</param>
/// <param name="Messages">The conversation that the model answers; null for a prompt.</param>
/// <param name="References">Texts that would be right, one at least.</param>
internal sealed record GenerationItem(string Place, string Prompt, IReadOnlyList<ChatMessage>? Messages, IReadOnlyList<string> References)
{
    /// <summary>
    /// Reads the items: lines of files with references beside them, or records whose fields are named, or else examples and
    /// conversations, of which the last answer is the reference.
    /// </summary>
    /// <exception cref="InvalidDataException">Something has no prompt or no reference; the message names its place.</exception>
    public static IReadOnlyList<GenerationItem> Read(EvaluationOptions options, CancellationToken ct)
    {
        List<GenerationItem> items = options.References.Count > 0 ? ReadLines(options, ct)
            : options.PromptField is not null || options.PromptTemplate is not null ? ReadRecords(options)
            : [.. options.Data.SelectMany(path => ExampleFiles.Open(path).Read(ct)).Select(FromExample)];
        if (items.Count == 0)
            throw new InvalidDataException($"{string.Join(", ", options.Data)}: there is nothing to write");
        var odd = items.FirstOrDefault(item => item.References.Count != items[0].References.Count);
        return odd is null ? items : throw new InvalidDataException($"{odd.Place}: there are {odd.References.Count} references, where the "
            + $"first has {items[0].References.Count}: all need as many");
    }

    private static List<GenerationItem> ReadLines(EvaluationOptions options, CancellationToken ct)
    {
        if (options.Data.Count != 1)
            throw new ArgumentException("data must be one file where references are files beside it");
        var path = options.Data[0];
        var sources = SegmentStream.Load(path, options.PromptField ?? "text", ct);
        SegmentStream[] references = [.. options.References.Select(file => SegmentStream.Load(file, options.ReferenceField, ct))];
        SegmentStatistics.CheckCounts([sources], references);
        return [.. Enumerable.Range(0, sources.Count).Select(i =>
            new GenerationItem($"{path}:{i + 1}", sources[i], null, [.. references.Select(stream => stream[i])]))];
    }

    private static List<GenerationItem> ReadRecords(EvaluationOptions options)
    {
        var prompt = new RecordPrompt(options.PromptTemplate, options.PromptField ?? "");
        var items = options.Data.SelectMany(DataRecord.Read)
            .Select(record => new GenerationItem(record.Place, prompt.Make(record), null, ReferencesOf(record, options.ReferenceField)))
            .ToList();
        prompt.CheckDiffered();
        return items;
    }

    private static string[] ReferencesOf(DataRecord record, string field)
    {
        var value = record.Get(field);
        string?[] texts = value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(DataRecord.Text)] : [DataRecord.Text(value)];
        return texts.Length > 0 && !texts.Contains(null) ? [.. texts.Select(text => text!)]
            : throw record.Bad($"\"{field}\" is neither a text nor a list of texts");
    }

    private static GenerationItem FromExample(TrainingExample example)
    {
        switch (example)
        {
            case CompletionExample completion:
                return new GenerationItem(example.Place, completion.Prompt, null, [completion.Completion]);
            case ConversationExample conversation:
                var last = conversation.Messages.ToList().FindLastIndex(message => message.Role == ChatMessage.Assistant);
                return last > 0
                    ? new GenerationItem(example.Place, "", [.. conversation.Messages.Take(last)], [conversation.Messages[last].Content])
                    : throw new InvalidDataException($"{example.Place}: the conversation has no answer to compare with");
            default:
                throw new InvalidDataException(
                    $"{example.Place}: a text by itself has no prompt: name the fields with promptField and referenceField");
        }
    }
}
