using System.Text;
using System.Text.Json;
using Ingot.Chat;
using Ingot.Checkpoints;
using Ingot.Tokenizers;

namespace Ingot.Training;

/// <summary>The template of a run's conversations: found for a new run, kept with each checkpoint, and taken from there again.</summary>
internal static class RunChatTemplate
{
    /// <summary>Finds it; null if there is none.</summary>
    /// <exception cref="IOException">The one that was chosen is not there.</exception>
    /// <exception cref="TemplateException">The one that was chosen is wrong.</exception>
    public static ChatTemplate? Find(TrainingOptions options, string? checkpoint, Tokenizer tokenizer, ITrainingObserver observer)
    {
        var folder = checkpoint
            ?? (options.Tokenizer is { } named && !TrainingOptions.TrainedTokenizers.Contains(named) ? named
                : BaseModel.IsFolder(options.Model) ? ModelFolder.Find(options.Model) : null);
        var choice = checkpoint is null ? options.ChatTemplate : null;
        if (folder is null)
            return choice is null ? null : WithoutFolder(choice, tokenizer);
        try
        {
            return ChatTemplate.TryLoad(folder, choice, tokenizer);
        }
        catch (TemplateException e) when (choice is null && options.DataFormat is Data.DataFormat.Text or Data.DataFormat.Examples)
        {
            observer.OnWarning($"{e.Message}; the model is saved without it");
            return null;
        }
    }

    /// <summary>Its files, as Hugging Face's libraries read them.</summary>
    public static IEnumerable<(string Name, byte[] Content)> Files(ChatTemplate template)
    {
        yield return ("chat_template.jinja", Encoding.UTF8.GetBytes(template.Source));
        yield return ("special_tokens_map.json", JsonSerializer.SerializeToUtf8Bytes(template.SpecialTokens));
    }

    private static ChatTemplate WithoutFolder(string choice, Tokenizer tokenizer)
    {
        var variables = new Dictionary<string, object?>();
        if (tokenizer.EndOfTextId is { } end)
            variables["eos_token"] = tokenizer.Decode([end]);
        return choice.EndsWith(".jinja", StringComparison.Ordinal)
            ? ChatTemplate.Parse(File.ReadAllText(choice), choice, variables)
            : ChatTemplate.BuiltIn(choice, variables);
    }
}
